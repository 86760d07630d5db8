"""Delete rows that only count, limit or tell something, once their time is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import compress
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, exists, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter.consent.decisions import leaving_reasons
from newsletter.consent.decisions.leaving_reasons import LeavingReason
from newsletter.consent.ledger.ledger import TraceRow
from newsletter.consent.limits import tickets
from newsletter.consent.limits.pressure import LetterCount
from newsletter.consent.limits.tickets import Ticket
from newsletter.consent.limits.used_solutions import UsedSolution
from newsletter.consent.signups.signups import SignupLetter
from newsletter.operators import sessions
from newsletter.operators.sessions import OperatorSession
from newsletter.operators.sign_in_failures import SignInFailures
from newsletter.store.database import Base

BATCH_SIZE = 2000  # rows of one table in one transaction

COUNT_LIFETIME = timedelta(hours=2)  # the limits look back one hour
RESERVATION_LIFETIME = timedelta(days=2)  # written by the release before; its day ends at most 24 hours after its date


class Expiring(NamedTuple):
    """Rows that expire: the columns of their key and the condition that their time is over."""

    row: type[Base]
    key: Sequence[InstrumentedAttribute[Any]]
    is_over: ColumnElement[bool]


def expiring(now: datetime) -> list[Expiring]:
    """Return which rows have expired by now."""
    return [
        Expiring(TraceRow, [TraceRow.entry_id], TraceRow.expires_at <= now),
        Expiring(Ticket, [Ticket.fold_key, Ticket.number], Ticket.taken_at <= now - tickets.PERIOD),
        Expiring(
            LetterCount,
            [LetterCount.key, LetterCount.since],
            # Also of a clock that was hours ahead: nobody would wait for these.
            (LetterCount.since <= now - COUNT_LIFETIME) | (LetterCount.since > now + COUNT_LIFETIME),
        ),
        Expiring(LeavingReason, [LeavingReason.key], LeavingReason.given_at <= now - leaving_reasons.LIFETIME),
        Expiring(UsedSolution, [UsedSolution.key], UsedSolution.expires_at <= now),
        Expiring(OperatorSession, [OperatorSession.id], sessions.was_over(now)),
        Expiring(
            SignInFailures,
            [SignInFailures.key, SignInFailures.since],
            (SignInFailures.since <= now - COUNT_LIFETIME) | (SignInFailures.since > now + COUNT_LIFETIME),
        ),
        Expiring(
            SignupLetter,
            [SignupLetter.fold_key, SignupLetter.newsletter_id, SignupLetter.day],
            SignupLetter.day < (now - RESERVATION_LIFETIME).date(),
        ),
    ]


def delete_expired(session: Session, *, now: datetime, limit: int = BATCH_SIZE) -> bool:
    """Delete at most `limit` expired rows of each table; return whether there may be more.

    A row that another transaction holds is left for the next call, so that nobody waits for somebody else in a circle.
    """
    more, every = False, expiring(now)
    found = session.execute(select(*(exists().where(each.is_over) for each in every))).one()  # mostly nothing
    for row, key, is_over in compress(every, found):
        some = select(*key).where(is_over).limit(limit).with_for_update(skip_locked=True)
        gone = delete(row).where(tuple_(*key).in_(some))
        deleted = session.execute(gone, execution_options={"synchronize_session": False})
        more = more or deleted.rowcount == limit  # type: ignore[attr-defined]  # the result of a DELETE has it
    return more
