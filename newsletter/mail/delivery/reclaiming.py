"""Put claimed letters back into the queue: after a lease expired, or after a claim that its worker cannot know of."""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, update
from sqlalchemy.orm import Session

from newsletter.mail.delivery import leases
from newsletter.mail.delivery.deliveries import (
    REQUEUED_STATUS,
    SUSPECT_DEATHS,
    Delivery,
    DeliveryStatus,
    has_status,
    undecided,
)
from newsletter.mail.delivery.leases import LeaseMonitor
from newsletter.mail.letters.letters import Priority
from newsletter.store.database import Begin

# The reply that operators see of a letter that is given up.
GIVEN_UP = f"{SUSPECT_DEATHS + 1} workers stopped while they held this letter; the last one was sending no other letter"

log = logging.getLogger(__name__)


def reclaim_expired(reading: Begin, writing: Begin, monitor: LeaseMonitor, *, now: datetime) -> int:
    """Give the letters of workers whose lease has expired back to the queue; return how many.

    Every worker watches the heartbeats of all others. If several find the same lease expired, one reclaims its letters.
    """
    with reading() as session:
        expired = monitor.expired(session)
    if not expired:
        return 0
    with writing() as session:
        locked = leases.lock_expired(session, expired)
        reclaimed = reclaim(session, locked, now=now) if locked else 0
    if reclaimed:
        log.warning("letters of a worker whose lease expired went back to the queue", extra={"count": reclaimed})
    return reclaimed


def reclaim(session: Session, workers: Sequence[int], *, now: datetime) -> int:
    """End the leases of these workers and put their letters back into the queue; return how many.

    Each letter may have arrived: its worker may have stopped between the relay's 250 and the commit. Once
    `SUSPECT_DEATHS` workers have stopped while they held a letter, it is sent alone (`claims.claim_suspect`). If that
    worker stops as well, the letter is given up as unknown.
    """
    leases.end_leases(session, workers, now=now)  # first: none of them claims anything until this transaction ends
    given_up = (
        update(Delivery)
        .where(_claimed_by(workers), Delivery.deaths >= SUSPECT_DEATHS)
        .values(
            status=DeliveryStatus.UNKNOWN,
            deaths=Delivery.deaths + 1,
            decided_at=now,
            reply_text=GIVEN_UP,
        )
    )
    requeued = update(Delivery).where(_claimed_by(workers)).values(status=REQUEUED_STATUS, deaths=Delivery.deaths + 1)
    return sum(session.execute(step).rowcount for step in (given_up, requeued))  # type: ignore[attr-defined]


def release(session: Session, worker: int, *, urgent: bool) -> int:
    """Release a worker's claims of issues, or those of all other letters; return how many.

    A worker calls it before its first claim of a run, after a commit that was not confirmed: that commit may have
    claimed letters without the worker's knowledge.
    """
    mine = and_(
        _claimed_by([worker]), (Delivery.priority != Priority.BULK) if urgent else (Delivery.priority == Priority.BULK)
    )
    released = update(Delivery).where(mine).values(status=REQUEUED_STATUS, carrier_id=None)
    return int(session.execute(released).rowcount)  # type: ignore[attr-defined]


def _claimed_by(workers: Sequence[int]) -> ColumnElement[bool]:
    """Search all open deliveries by their index: an index that named the worker would slow every claim down."""
    is_open = or_(*map(undecided, Priority))
    return and_(is_open, has_status(DeliveryStatus.CLAIMED), Delivery.carrier_id.in_(workers))
