"""Recording: what a carrier reports becomes a delivery's state, unless the delivery is no longer that carrier's."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from newsletter.post.deliveries import Delivery, Status
from newsletter.post.letters import Kind, Letter
from newsletter.post.postman import Fate, Report

DEATHS = 3  # carriers that may die with a letter in their hands before the letter is taken for the cause
DOUBT = timedelta(minutes=5)  # before a letter in doubt is repeated, once

# How long a deferred letter waits (minutes, by how often it was deferred; the last one repeats), and how long it is
# tried at all. A confirmation is waited for; a digest is stale after two days (RFC 5321 section 4.5.4.1 allows both).
WAITS = {Kind.CONFIRMATION: (1, 5, 15, 30, 60), Kind.ISSUE: (5, 15, 30, 60, 120), Kind.TEST: (1, 5)}
TRIED_FOR = {
    Kind.CONFIRMATION: timedelta(hours=24),
    Kind.ISSUE: timedelta(hours=48),
    Kind.TEST: timedelta(minutes=30),
}


class Held(NamedTuple):
    """A delivery as its carrier holds it."""

    id: int
    attempt: int
    kind: Kind
    queued_at: datetime
    due_at: datetime
    deferrals: int
    doubts: int


def record(session: Session, carrier: int, reports: Sequence[Report], *, now: datetime) -> int:
    """Write what became of letters; returns how many were still this carrier's in this attempt.

    A report that comes after its claim was handed back changes nothing: the next carrier's word counts.
    """
    held = {row.id: row for row in _held(session, carrier, [report.delivery for report in reports])}
    values = [
        {"b_id": report.delivery, "b_attempt": report.attempt, **decide(row, report, now=now)}
        for report in reports
        if (row := held.get(report.delivery)) and row.attempt == report.attempt
    ]
    if values:
        fields = [name for name in values[0] if not name.startswith("b_")]
        write = (
            update(Delivery.__table__)  # type: ignore[arg-type]  # the table itself: many rows in one statement
            .where(Delivery.__table__.c.id == bindparam("b_id"), Delivery.__table__.c.attempt == bindparam("b_attempt"))
            .where(Delivery.__table__.c.status == Status.CLAIMED)
            .values({name: bindparam(name) for name in fields})
        )
        session.connection().execute(write, values)
    return len(values)


def decide(held: Held, report: Report, *, now: datetime, jitter: float | None = None) -> dict[str, Any]:
    """The state that a report leads to, as column values. Waiting begins now: the report may have waited itself."""
    same: dict[str, Any] = {
        "status": Status.QUEUED,
        "due_at": held.due_at,
        "deferrals": held.deferrals,
        "doubts": held.doubts,
        "decided_at": None,
        "reply_code": report.reply.code if report.reply else None,
        "reply_text": report.reply.text if report.reply else None,
    }
    waiting = Status.IN_DOUBT if held.doubts else Status.QUEUED
    changes: dict[str, Any]
    match report.fate:
        case Fate.TAKEN:
            changes = {"status": Status.SENT, "decided_at": report.at}
        case Fate.REFUSED:
            changes = {"status": Status.FAILED, "decided_at": report.at}
        case Fate.UNTOUCHED:
            changes = {"status": waiting}
        case Fate.IN_DOUBT if held.doubts:
            changes = {"status": Status.UNKNOWN, "decided_at": report.at}
        case Fate.IN_DOUBT:
            changes = {"status": Status.IN_DOUBT, "doubts": 1, "due_at": now + DOUBT}
        case Fate.LATER if now - held.queued_at >= TRIED_FOR[held.kind]:
            changes = {"status": Status.FAILED, "decided_at": report.at}
        case Fate.LATER:
            changes = {"status": waiting, "deferrals": held.deferrals + 1, "due_at": now + _wait(held, jitter)}
    return {**same, **changes}


def _wait(held: Held, jitter: float | None) -> timedelta:
    waits = WAITS[held.kind]
    minutes = waits[min(held.deferrals, len(waits) - 1)]
    factor = random.uniform(0.9, 1.1) if jitter is None else jitter  # noqa: S311 - spreads a herd, guards nothing
    return timedelta(minutes=minutes * factor)


def hand_back(session: Session, carriers: Sequence[int], *, now: datetime) -> int:
    """Give the claims of dead carriers to whoever comes next; a letter that outlived three of them fails."""
    of_the_dead = Delivery.status == Status.CLAIMED, Delivery.carrier_id.in_(carriers)
    given_up = (
        update(Delivery)
        .where(*of_the_dead, Delivery.deaths >= DEATHS - 1)
        .values(
            status=Status.FAILED,
            deaths=Delivery.deaths + 1,
            decided_at=now,
            reply_text=f"{DEATHS} processes ended while they carried this letter",
        )
    )
    back = update(Delivery).where(*of_the_dead).values(status=Status.QUEUED, deaths=Delivery.deaths + 1)
    return sum(session.execute(step).rowcount for step in (given_up, back))  # type: ignore[attr-defined]


def _held(session: Session, carrier: int, deliveries: Sequence[int]) -> list[Held]:
    rows = (
        select(
            Delivery.id,
            Delivery.attempt,
            Letter.kind,
            Delivery.queued_at,
            Delivery.due_at,
            Delivery.deferrals,
            Delivery.doubts,
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .where(Delivery.id.in_(deliveries), Delivery.carrier_id == carrier, Delivery.status == Status.CLAIMED)
        .with_for_update(of=Delivery)
    )
    return [Held._make(row) for row in session.execute(rows)]
