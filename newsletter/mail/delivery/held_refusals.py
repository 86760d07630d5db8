"""Giving up: letters that were refused for good because of us, and have waited for a person in vain.

They end when they come due again, if they are few among an issue's letters. If they are many, the person has not been
told: a short list never fills the breaker's window. The issue is paused then, and its letters wait on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from newsletter.mail.delivery import issue_pauses
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.delivery.deliveries import OPEN, Delivery, DeliveryStatus, stands
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace import attempt_window as mark
from newsletter.mail.pace import circuit_breaker
from newsletter.mail.transport.transport import Reply


class Refusals(NamedTuple):
    """What was said for good of letters that are claimed again, by delivery."""

    final: Mapping[int, Reply]  # they end with it
    held: Mapping[int, Reply]  # they go back: their issue is paused


NONE = Refusals(MappingProxyType({}), MappingProxyType({}))


def refusals(session: Session, claimed: Sequence[Claimed], *, now: datetime) -> Refusals:
    """Of letters that were tried before, those that are not to be sent again, as nobody has asked for it (`holds`).

    Pauses issues of which they are many.
    """
    again = [each.delivery for each in claimed if each.attempt > 1]
    if not again:
        return NONE
    rows = select(Delivery.id, Letter.issue_id, Delivery.reply_code, Delivery.reply_text)
    refused = rows.join(Letter, Letter.id == Delivery.letter_id).where(Delivery.id.in_(again), _is_refused())
    found: dict[int | None, dict[int, Reply]] = {}
    for number, issue, code, text in session.execute(refused):
        found.setdefault(issue, {})[number] = Reply(code, None, text or "")
    final: dict[int, Reply] = {}
    held: dict[int, Reply] = {}
    for issue, said in found.items():
        is_paused = issue is not None and _pause_if_many(session, issue, next(iter(said.values())), now)
        (held if is_paused else final).update(said)
    return Refusals(final, held)


def _pause_if_many(session: Session, issue: int, said: Reply, now: datetime) -> bool:
    """Pause the issue if so many of its letters wait that a person has to see it; whether they are so many."""
    counts = select(
        func.count().filter(and_(stands(*OPEN), _is_refused())), func.count().filter(stands(DeliveryStatus.SENT))
    ).join(Letter, Letter.id == Delivery.letter_id)
    held, sent = session.execute(counts.where(Letter.issue_id == issue)).one()
    if held <= circuit_breaker.REFUSED * (held + sent):
        return False
    reason = f"{held} letters were {circuit_breaker.ADVICE[mark.REFUSED]} Last: {said.words}"
    issue_pauses.pause(session, issue, reason=reason, now=now)
    return True


def _is_refused() -> ColumnElement[bool]:
    return Delivery.reply_code >= 500
