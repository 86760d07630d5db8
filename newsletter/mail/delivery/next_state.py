"""Decide the next state of a delivery from the result of an attempt, without a database."""

import random
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from newsletter import redaction
from newsletter.mail.delivery.deliveries import OPEN, DeliveryStatus, may_have_arrived
from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.letters.mime import on_one_line
from newsletter.mail.pace import retries
from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Outcome, Reply, Result

IN_DOUBT_DELAY = timedelta(minutes=5)  # before a letter in doubt is repeated, once
JITTER = (0.9, 1.1)  # factors of a wait, so that letters deferred together do not come back together

CARRIED_OVER = ("due_at", "deferrals", "doubts", "deaths", "reply_code", "reply_text")  # columns that keep their values


class DeliveryState(NamedTuple):
    """What is known of a delivery when its worker reports the result of an attempt."""

    id: int
    attempt: int
    kind: LetterKind
    first_tried_at: datetime
    due_at: datetime
    deferrals: int = 0
    doubts: int = 0
    deaths: int = 0
    reply_code: int | None = None
    reply_text: str | None = None
    signup: int | None = None  # of a confirmation


def next_state(current: DeliveryState, result: Result, *, now: datetime, jitter: float | None = None) -> dict[str, Any]:
    """Return the state that a result leads to, as column values.

    A wait begins at `now`, not at the time of the result: the result may have waited for the database itself.
    """
    waiting = DeliveryStatus.IN_DOUBT if current.doubts else DeliveryStatus.QUEUED
    given_up = DeliveryStatus.UNKNOWN if may_have_arrived(current.doubts, current.deaths) else DeliveryStatus.FAILED
    changes: dict[str, Any] = {name: getattr(current, name) for name in CARRIED_OVER}
    if result.outcome is not Outcome.UNTOUCHED:
        changes |= reply_columns(result.reply)
    match result.outcome:
        case Outcome.TAKEN:
            changes["status"] = DeliveryStatus.SENT
        case Outcome.REFUSED:  # this copy; an earlier one may have been accepted
            changes["status"] = given_up
        case Outcome.UNTOUCHED:
            changes["status"] = waiting
        case Outcome.IN_DOUBT if current.doubts:
            changes["status"] = DeliveryStatus.UNKNOWN
        case Outcome.IN_DOUBT:
            changes |= {"status": DeliveryStatus.IN_DOUBT, "doubts": 1, "due_at": now + IN_DOUBT_DELAY}
        case Outcome.LATER:
            wait = _wait(current, result, now, random.uniform(*JITTER) if jitter is None else jitter)  # noqa: S311 - it only spreads retries
            changes |= {"status": waiting, "due_at": now + wait} if wait else {"status": given_up}
            changes["deferrals"] = current.deferrals + 1
    return {**changes, "decided_at": None if changes["status"] in OPEN else result.at}


def reply_columns(reply: Reply | None) -> dict[str, Any]:
    """Return the stored columns of a reply: no address, no token and no character that a database might refuse.

    Raises ValueError for a code that has more than three digits, which PostgreSQL would refuse and SQLite would store.
    """
    if reply is None:
        return {"reply_code": None, "reply_text": None}
    if reply.code is not None and not 0 <= reply.code < 1000:
        raise ValueError("a reply's code has three digits")
    text = redaction.scrub(on_one_line(reply.text[: replies.PARSED_CHARACTERS]))
    if reply.status and not text.startswith(reply.status):
        text = f"{reply.status} {text}".rstrip()
    text = text[: replies.STORED_CHARACTERS]
    return {"reply_code": reply.code, "reply_text": text}


def _wait(current: DeliveryState, result: Result, now: datetime, jitter: float) -> timedelta | None:
    """Return the time until the next attempt; None: there is none.

    A letter that may have arrived does not wait until a person resumes its issue: it is not repeated so much later.
    """
    tried_for = now - current.first_tried_at
    if current.doubts and retries.is_permanent(result.reply):
        return None
    return retries.wait(current.kind, result.reply, deferrals=current.deferrals, tried_for=tried_for, jitter=jitter)
