"""Write the results of a worker's attempts, unless another worker has claimed the delivery meanwhile."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
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
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.types import TypeEngine

from newsletter.consent.limits import tickets
from newsletter.consent.signups.signups import Signup
from newsletter.mail.delivery.deliveries import (
    DELIVERIES,
    OPEN,
    REQUEUED_STATUS,
    Delivery,
    DeliveryStatus,
    has_status,
)
from newsletter.mail.delivery.next_state import DeliveryState, next_state, reply_columns
from newsletter.mail.letters.letters import Letter, actual_kind
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.store import bulk_rows

# The `deaths` of a delivery without the worker that reports a result. If its lease expired and its claims were
# reclaimed, the delivery waits, still names it (a release clears `carrier_id`) and counts it in `deaths`. The result
# disproves that the worker stopped, so it is subtracted.
DEATHS_WITHOUT_THIS_WORKER = case(
    (and_(DELIVERIES.c.status != DeliveryStatus.CLAIMED, DELIVERIES.c.deaths > 0), DELIVERIES.c.deaths - 1),
    else_=DELIVERIES.c.deaths,
)

RESULT_COLUMNS: dict[str, TypeEngine[Any]] = {
    "id": BigInteger(),
    "attempt": Integer(),
    "at": DateTime(timezone=True),
    "reply_code": SmallInteger(),
    "reply_text": String(),
}

log = logging.getLogger(__name__)


def record(session: Session, worker: int, results: Sequence[Result], *, now: datetime) -> int:
    """Write the results of a worker's attempts; return how many of them counted.

    A result counts once, and only until another worker claims the letter. So a worker whose lease expired although it
    lives can still report; once its letters are claimed again, its results change nothing. Of two results of one
    attempt the first counts.
    """
    by_outcome: dict[Outcome | None, list[Result]] = {Outcome.TAKEN: [], Outcome.UNTOUCHED: [], None: []}
    for result in first_results(results):
        by_outcome.get(result.outcome, by_outcome[None]).append(result)
    taken, untouched, others = by_outcome.values()
    counted = record_taken(session, worker, taken) if taken else 0
    counted += _record_untouched(session, worker, untouched) if untouched else 0
    return counted + (_record_others(session, worker, others, now) if others else 0)


def first_results(results: Iterable[Result]) -> list[Result]:
    """Return the first result of each attempt; no other counts."""
    first: dict[tuple[int, int], Result] = {}
    for result in results:
        first.setdefault((result.delivery, result.attempt), result)
    return list(first.values())


def record_taken(database: Session | Connection, worker: int, results: Iterable[Result]) -> int:
    """Write the letters that relays took, one result for each; return how many counted.

    They are nearly all results, so one prepared statement writes them.
    """
    rows = [
        {"id": each.delivery, "attempt": each.attempt, "at": each.at, **reply_columns(each.reply)} for each in results
    ]
    return _execute(database, _taken_statement, worker, rows)


def _record_untouched(session: Session, worker: int, results: Sequence[Result]) -> int:
    """Release the claims of letters that were not sent, such as the rest of a send run; nothing else changes."""
    rows = [{"id": each.delivery, "attempt": each.attempt} for each in results]
    return _execute(session, _release_statement, worker, rows)


def _execute(
    database: Session | Connection, statement: Callable[..., Update], worker: int, rows: Iterable[dict[str, Any]]
) -> int:
    bind = database.get_bind() if isinstance(database, Session) else database
    parameters = {"results": bulk_rows.encode(rows), "worker": worker}
    return len(database.execute(statement(on_sqlite=bind.dialect.name == "sqlite"), parameters).all())


@cache
def _taken_statement(*, on_sqlite: bool) -> Update:
    rows = bulk_rows.table_of("results", RESULT_COLUMNS, on_sqlite=on_sqlite)
    reply = {"reply_code": rows.c.reply_code, "reply_text": rows.c.reply_text}
    return _update_claims(rows).values(status=DeliveryStatus.SENT, decided_at=rows.c.at, **reply)


@cache
def _release_statement(*, on_sqlite: bool) -> Update:
    columns = {name: RESULT_COLUMNS[name] for name in ("id", "attempt")}
    rows = bulk_rows.table_of("results", columns, on_sqlite=on_sqlite)
    return _update_claims(rows).values(status=REQUEUED_STATUS, carrier_id=None, deaths=DEATHS_WITHOUT_THIS_WORKER)


def _update_claims(rows: FromClause) -> ReturningUpdate[Any]:
    """Return the update of those deliveries among the rows that the worker may still report on."""
    row = DELIVERIES.c
    mine = row.id == rows.c.id, row.attempt == rows.c.attempt, row.carrier_id == bindparam("worker")
    return update(DELIVERIES).where(*mine, row.decided_at.is_(None)).returning(row.id)


def _record_others(session: Session, worker: int, results: Sequence[Result], now: datetime) -> int:
    states = _lock_states(session, worker, [result.delivery for result in results])
    by_attempt = {(state.id, state.attempt): state for state in states}
    known = [(state, each) for each in results if (state := by_attempt.get((each.delivery, each.attempt)))]
    decided = [(state, result, next_state(state, result, now=now)) for state, result in known]
    if decided:
        # One statement updates all rows by their key: they are locked, so they still are what `_lock_states` read.
        session.execute(update(Delivery), [_parameters(worker, result, changes) for _, result, changes in decided])
        _allow_new_signups(session, decided)
    return len(decided)


def _allow_new_signups(session: Session, decided: Iterable[tuple[DeliveryState, Result, dict[str, Any]]]) -> None:
    """Let visitors sign up again today whose confirmation failed although the mailbox exists: nothing arrived."""
    unsent = [
        state.signup
        for state, result, changes in decided
        if state.signup and result.outcome is Outcome.LATER and changes["status"] is DeliveryStatus.FAILED
    ]
    if unsent:
        _release_tickets(session, unsent)
        log.warning("confirmations failed although their mailboxes exist", extra={"count": len(unsent)})


def _release_tickets(session: Session, signup_ids: Sequence[int]) -> None:
    occasions: dict[str, list[str]] = {}
    for number, fold_key in session.execute(select(Signup.id, Signup.fold_key).where(Signup.id.in_(signup_ids))):
        occasions.setdefault(fold_key, []).append(f"signup:{number}")
    tickets.release(session, occasions)


def _parameters(worker: int, result: Result, changes: dict[str, Any]) -> dict[str, Any]:
    # A delivery that goes back to the queue names no worker, so the same result, written twice, counts once.
    return {"id": result.delivery, "carrier_id": worker if changes["decided_at"] else None, **changes}


def _lock_states(session: Session, worker: int, deliveries: Sequence[int]) -> list[DeliveryState]:
    """Lock and return those deliveries that the worker has not reported on and no other worker has claimed since."""
    rows = (
        select(
            Delivery.id,
            Delivery.attempt,
            actual_kind(),
            Delivery.first_tried_at,
            Delivery.due_at,
            Delivery.deferrals,
            Delivery.doubts,
            DEATHS_WITHOUT_THIS_WORKER,
            Delivery.reply_code,
            Delivery.reply_text,
            Letter.signup_id,
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .where(Delivery.id.in_(deliveries), Delivery.carrier_id == worker, has_status(*OPEN))
        .order_by(Delivery.id)  # as moves of deliveries lock them
        .with_for_update(of=Delivery)
    )
    return [DeliveryState._make(row) for row in session.execute(rows)]
