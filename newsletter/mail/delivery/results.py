"""Recording: what a carrier reports becomes a delivery's state, unless the delivery is in other hands by now."""

import logging
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Integer,
    SmallInteger,
    String,
    Update,
    and_,
    bindparam,
    case,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.types import TypeEngine

from newsletter import redaction
from newsletter.consent import signups
from newsletter.mail.delivery import leases
from newsletter.mail.delivery.deliveries import (
    DEATHS,
    DELIVERIES,
    OPEN,
    Delivery,
    DeliveryStatus,
    may_have_arrived,
    stands,
    undecided,
)
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.letters.mime import on_one_line
from newsletter.mail.pace import retries
from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.store import bulk_rows

UNCHANGED = ("due_at", "deferrals", "doubts", "deaths", "reply_code", "reply_text")  # unless the report says otherwise
DOUBT = timedelta(minutes=5)  # before a letter in doubt is repeated, once
JITTER = (0.9, 1.1)  # of a wait, so that letters deferred together do not come back together

WAITING_AGAIN = case((DELIVERIES.c.doubts > 0, DeliveryStatus.IN_DOUBT), else_=DeliveryStatus.QUEUED)

# The deaths of a delivery that its worker reports on. Where the claims of that worker were handed back because it was
# silent, the delivery waits (any other way back clears `carrier_id`); the report proves that the worker did not die, so
# its death is not counted.
PROVEN_DEATHS = case(
    (and_(DELIVERIES.c.status != DeliveryStatus.CLAIMED, DELIVERIES.c.deaths > 0), DELIVERIES.c.deaths - 1),
    else_=DELIVERIES.c.deaths,
)

log = logging.getLogger(__name__)

SAID: dict[str, TypeEngine[Any]] = {
    "id": BigInteger(),
    "attempt": Integer(),
    "at": DateTime(timezone=True),
    "reply_code": SmallInteger(),
    "reply_text": String(),
}


class Held(NamedTuple):
    """A delivery as its carrier holds it."""

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
    signup: int | None = None  # that a confirmation is about


def record(session: Session, carrier: int, reports: Sequence[Result], *, now: datetime) -> int:
    """Write what became of letters; returns how many of the reports counted.

    A report counts once, and only while nobody else has claimed the letter. A carrier that was silent for a while and
    taken for dead still knows best what became of its letters; once they are in other hands, its word changes nothing.
    Of two reports about one attempt the first counts.
    """
    first = first_words(reports)
    fates: dict[Outcome | None, list[Result]] = {Outcome.TAKEN: [], Outcome.UNTOUCHED: [], None: []}
    for report in first:
        fates.get(report.outcome, fates[None]).append(report)
    taken, untouched, others = fates.values()
    counted = sent(session, carrier, taken) if taken else 0
    counted += _untouched(session, carrier, untouched) if untouched else 0
    return counted + (_others(session, carrier, others, now) if others else 0)


def first_words(reports: Iterable[Result]) -> list[Result]:
    """The first report about each attempt; no other counts."""
    first: dict[tuple[int, int], Result] = {}
    for report in reports:
        first.setdefault((report.delivery, report.attempt), report)
    return list(first.values())


def sent(database: Session | Connection, carrier: int, reports: Iterable[Result]) -> int:
    """Write what relays took, each letter named once: almost all that is ever reported, and one fixed statement."""
    rows = [{"id": each.delivery, "attempt": each.attempt, "at": each.at, **_said(each.reply)} for each in reports]
    return _fixed(database, _sending, carrier, rows)


def _untouched(session: Session, carrier: int, reports: Sequence[Result]) -> int:
    """What nobody was told of is nobody's, and waits where it waited: the rest of each ring."""
    return _fixed(session, _leaving, carrier, [{"id": each.delivery, "attempt": each.attempt} for each in reports])


def _fixed(
    database: Session | Connection, statement: Callable[..., Update], carrier: int, rows: Iterable[dict[str, Any]]
) -> int:
    bind = database.get_bind() if isinstance(database, Session) else database
    given = {"said": bulk_rows.encode(rows), "carrier": carrier}
    return len(database.execute(statement(on_sqlite=bind.dialect.name == "sqlite"), given).all())


@cache
def _sending(*, on_sqlite: bool) -> Update:
    said = bulk_rows.table_of("said", SAID, on_sqlite=on_sqlite)
    outcome = {"reply_code": said.c.reply_code, "reply_text": said.c.reply_text}
    return _of_carrier(said).values(status=DeliveryStatus.SENT, decided_at=said.c.at, **outcome)


@cache
def _leaving(*, on_sqlite: bool) -> Update:
    said = bulk_rows.table_of("said", {name: SAID[name] for name in ("id", "attempt")}, on_sqlite=on_sqlite)
    return _of_carrier(said).values(status=WAITING_AGAIN, carrier_id=None, deaths=PROVEN_DEATHS)


def _of_carrier(said: FromClause) -> ReturningUpdate[Any]:
    """Those of the deliveries that the carrier still may speak of."""
    row = DELIVERIES.c
    mine = row.id == said.c.id, row.attempt == said.c.attempt, row.carrier_id == bindparam("carrier")
    return update(DELIVERIES).where(*mine, row.decided_at.is_(None)).returning(row.id)


def _others(session: Session, carrier: int, reports: Sequence[Result], now: datetime) -> int:
    held = {(row.id, row.attempt): row for row in _held(session, carrier, [report.delivery for report in reports])}
    known = [(row, each) for each in reports if (row := held.get((each.delivery, each.attempt)))]
    decided = [(row, report, decide(row, report, now=now)) for row, report in known]
    if decided:
        # Many rows in one statement, by their key: they are locked, so they still are what `_held` read.
        session.execute(update(Delivery), [_bound(carrier, report, changes) for _, report, changes in decided])
        _let_ask_again(session, decided)
    return len(decided)


def _let_ask_again(session: Session, decided: Iterable[tuple[Held, Result, dict[str, Any]]]) -> None:
    """Whose confirmation failed, though the mailbox exists, may sign up once more today: nothing came to it."""
    unsent = [
        row.signup
        for row, report, changes in decided
        if row.signup and report.outcome is Outcome.LATER and changes["status"] is DeliveryStatus.FAILED
    ]
    if unsent:
        signups.release_letters(session, unsent)
        log.warning("confirmations failed, and not for want of a mailbox", extra={"count": len(unsent)})


def decide(held: Held, report: Result, *, now: datetime, jitter: float | None = None) -> dict[str, Any]:
    """The state that a report leads to, as column values. Waiting begins now: the report may have waited itself."""
    waiting = DeliveryStatus.IN_DOUBT if held.doubts else DeliveryStatus.QUEUED
    given_up = DeliveryStatus.UNKNOWN if may_have_arrived(held.doubts, held.deaths) else DeliveryStatus.FAILED
    changes: dict[str, Any] = {name: getattr(held, name) for name in UNCHANGED}
    if report.outcome is not Outcome.UNTOUCHED:
        changes |= _said(report.reply)
    match report.outcome:
        case Outcome.TAKEN:
            changes["status"] = DeliveryStatus.SENT
        case Outcome.REFUSED:  # this copy; an earlier one may have been accepted
            changes["status"] = given_up
        case Outcome.UNTOUCHED:
            changes["status"] = waiting
        case Outcome.IN_DOUBT if held.doubts:
            changes["status"] = DeliveryStatus.UNKNOWN
        case Outcome.IN_DOUBT:
            changes |= {"status": DeliveryStatus.IN_DOUBT, "doubts": 1, "due_at": now + DOUBT}
        case Outcome.LATER:
            wait = _wait(held, report, now, random.uniform(*JITTER) if jitter is None else jitter)  # noqa: S311 - spreads a herd
            later = {"status": waiting, "deferrals": held.deferrals + 1, "due_at": now + wait} if wait else None
            changes |= later or {"status": given_up}
    return {**changes, "decided_at": None if changes["status"] in OPEN else report.at}


def _said(reply: Reply | None) -> dict[str, Any]:
    """What is kept of a reply: status and words; no address, no token, no character that a database might refuse."""
    if reply is None:
        return {"reply_code": None, "reply_text": None}
    if reply.code is not None and not 0 <= reply.code < 1000:  # SQLite would take it
        raise ValueError("a reply's code has three digits")
    text = redaction.scrub(on_one_line(reply.text[: replies.PARSED_CHARACTERS]))
    if reply.status and not text.startswith(reply.status):
        text = f"{reply.status} {text}".rstrip()
    text = text[: replies.STORED_CHARACTERS]
    return {"reply_code": reply.code, "reply_text": text}


def _wait(held: Held, report: Result, now: datetime, jitter: float) -> timedelta | None:
    """Until it is tried again; None: never. Who may have got the letter is not kept waiting for a repeat."""
    tried_for = now - held.first_tried_at
    if held.doubts and retries.is_permanent(report.reply):
        return None
    return retries.wait(held.kind, report.reply, deferrals=held.deferrals, tried_for=tried_for, jitter=jitter)


def _bound(carrier: int, report: Result, changes: dict[str, Any]) -> dict[str, Any]:
    # A letter that goes back belongs to nobody, so that the same report, written twice, counts once.
    return {"id": report.delivery, "carrier_id": carrier if changes["decided_at"] else None, **changes}


def reclaim(session: Session, silent: Sequence[int], *, now: datetime) -> int:
    """Give the claims of dead carriers to whoever comes next; returns how many.

    Each of these letters may have arrived: their carrier may have died between the relay's 250 and the commit. A letter
    that outlived three carriers is carried alone from then on (`claims.claim_suspect`). If that carrier dies as well,
    the letter is given up, and is unknown.
    """
    leases.end_leases(session, silent, now=now)  # first: until this transaction ends none of them claims anything more
    given_up = (
        update(Delivery)
        .where(_held_by(silent), Delivery.deaths >= DEATHS)
        .values(
            status=DeliveryStatus.UNKNOWN,
            deaths=Delivery.deaths + 1,
            decided_at=now,
            reply_text=f"{DEATHS + 1} processes ended while they carried this letter, the last one nothing else",
        )
    )
    back = update(Delivery).where(_held_by(silent)).values(status=WAITING_AGAIN, deaths=Delivery.deaths + 1)
    return sum(session.execute(step).rowcount for step in (given_up, back))  # type: ignore[attr-defined]


def release(session: Session, carrier: int, *, urgent: bool) -> int:
    """Give back what a carrier claimed without knowing it: the commit's confirmation was lost. Returns how many.

    For a carrier that has nothing of that priority in hand.
    """
    mine = and_(_held_by([carrier]), Delivery.priority == (Priority.URGENT if urgent else Priority.BULK))
    back = update(Delivery).where(mine).values(status=WAITING_AGAIN, carrier_id=None)
    return int(session.execute(back).rowcount)  # type: ignore[attr-defined]


def _held_by(carriers: Sequence[int]) -> ColumnElement[bool]:
    """What is open is looked through whole, by index: no index could name the carrier without a cost to each claim."""
    is_open = or_(undecided(Priority.URGENT), undecided(Priority.BULK))
    return and_(is_open, stands(DeliveryStatus.CLAIMED), Delivery.carrier_id.in_(carriers))


def _held(session: Session, carrier: int, deliveries: Sequence[int]) -> list[Held]:
    """Those of the deliveries that this carrier has not reported on and nobody else has claimed since, locked."""
    rows = (
        select(
            Delivery.id,
            Delivery.attempt,
            Letter.kind,
            Delivery.first_tried_at,
            Delivery.due_at,
            Delivery.deferrals,
            Delivery.doubts,
            PROVEN_DEATHS,
            Delivery.reply_code,
            Delivery.reply_text,
            Letter.signup_id,
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .where(Delivery.id.in_(deliveries), Delivery.carrier_id == carrier, stands(*OPEN))
        .with_for_update(of=Delivery)
    )
    return [Held._make(row) for row in session.execute(rows)]
