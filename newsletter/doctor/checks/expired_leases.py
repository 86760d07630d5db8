"""Find workers that hold letters and whose heartbeat has stopped.

A command has no history, and clocks of two machines are never compared. So it polls the heartbeat counters for longer
than two heartbeats: a worker whose counter moves is alive. If no worker holds a letter, it does not wait.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.doctor.checks.findings import Check, Finding
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, Worker
from newsletter.store.database import Begin

POLL_INTERVAL = 1.0  # seconds
REPORT_AFTER = 2 * HEARTBEAT_INTERVAL + 2  # seconds without a heartbeat: two were missed


class LeaseHolder(NamedTuple):
    """A worker that holds letters, as seen at one moment."""

    beats: int  # its heartbeat counter
    claims: int  # letters that it holds


def holders(session: Session) -> dict[int, LeaseHolder]:
    """Return the workers that hold letters, by id."""
    held = (
        select(Delivery.carrier_id, func.count().label("n"))
        .where(has_status(DeliveryStatus.CLAIMED), Delivery.carrier_id.is_not(None))
        .group_by(Delivery.carrier_id)
        .subquery()
    )
    rows = select(Worker.id, Worker.beats, held.c.n).join(held, held.c.carrier_id == Worker.id)
    return {worker: LeaseHolder(beats, claims) for worker, beats, claims in session.execute(rows)}


def find_stopped(
    reading: Begin,
    *,
    after: float = REPORT_AFTER,
    wait: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[int, LeaseHolder]:
    """Return the workers that hold letters and have shown no heartbeat for `after` seconds, by id, as seen last."""
    with reading() as session:
        stopped = holders(session)
    until = monotonic() + after
    while stopped and monotonic() < until:
        wait(POLL_INTERVAL)
        with reading() as session:
            beats = dict(_heartbeats(session, stopped))  # `holders` reads every claimed row, so only first and last
        stopped = {worker: seen for worker, seen in stopped.items() if beats.get(worker) == seen.beats}
    if not stopped:
        return {}
    with reading() as session:
        now = holders(session)
    return {
        worker: now[worker] for worker, seen in stopped.items() if worker in now and now[worker].beats == seen.beats
    }


def _heartbeats(session: Session, workers: Iterable[int]) -> Iterator[tuple[int, int]]:
    rows = session.execute(select(Worker.id, Worker.beats).where(Worker.id.in_(list(workers))))
    return ((worker, beats) for worker, beats in rows)


def findings(stopped: dict[int, LeaseHolder]) -> list[Finding]:
    """Return a finding for each stopped worker. Running workers put its letters back in the queue after 30 seconds."""
    says = "its heartbeat stopped more than {:.0f} seconds ago; letters that it holds: {:,}"
    return [
        Finding(Check.DEAD_CLAIMS, f"worker {worker}", says.format(REPORT_AFTER, seen.claims), fixable=True)
        for worker, seen in sorted(stopped.items())
    ]
