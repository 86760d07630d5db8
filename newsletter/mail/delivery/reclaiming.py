"""Leases of claims: a letter that a worker has claimed goes back to the queue when that worker's heartbeat stops."""

import logging
from datetime import datetime

from newsletter.mail.delivery import leases, results
from newsletter.mail.delivery.leases import LeaseMonitor
from newsletter.store.database import Begin

log = logging.getLogger(__name__)


def reclaim_expired(reading: Begin, writing: Begin, watch: LeaseMonitor, *, now: datetime) -> int:
    """Give the letters of workers whose lease has expired back to the queue; return how many.

    Every worker watches the heartbeats of all others. If several find the same lease expired, one reclaims its letters.
    """
    with reading() as session:
        expired = watch.silent(session)
    if not expired:
        return 0
    with writing() as session:
        missed = leases.lock_expired(session, expired)
        reclaimed = results.reclaim(session, missed, now=now) if missed else 0
    if reclaimed:
        log.warning("letters of a worker whose lease expired went back to the queue", extra={"count": reclaimed})
    return reclaimed
