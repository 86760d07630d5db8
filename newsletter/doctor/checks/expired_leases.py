"""Silence: claims of carriers that do not beat any more.

A command has no history, and two machines' clocks are never compared. So it looks again and again, over more than two
beats; whoever moved meanwhile lives. Where nobody holds a letter it need not look twice.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.doctor.checks.findings import Check, Finding
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, LEASE_DURATION, Worker
from newsletter.store.database import Begin

LOOK = 1.0  # seconds between two looks
NOTICE = (
    2 * HEARTBEAT_INTERVAL + 2
)  # seconds of silence that are named: whoever missed two beats is dead, or as good as


class Pulse(NamedTuple):
    """A carrier that holds letters, as it was at one look."""

    beats: int
    claims: int


def holding(session: Session) -> dict[int, Pulse]:
    """Carriers that hold letters, by id."""
    held = (
        select(Delivery.carrier_id, func.count().label("n"))
        .where(has_status(DeliveryStatus.CLAIMED), Delivery.carrier_id.is_not(None))
        .group_by(Delivery.carrier_id)
        .subquery()
    )
    rows = select(Worker.id, Worker.beats, held.c.n).join(held, held.c.carrier_id == Worker.id)
    return {number: Pulse(beats, claims) for number, beats, claims in session.execute(rows)}


def silent(
    reading: Begin,
    *,
    longest: float = NOTICE,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[int, Pulse]:
    """Carriers that hold letters and whose beats did not move for so many seconds; as they were at the last look."""
    with reading() as session:
        quiet = holding(session)
    until = clock() + longest
    while quiet and clock() < until:
        wait(LOOK)
        with reading() as session:
            beats = dict(_beats(session, quiet))  # who holds what is asked only at both ends: it is a look at every row
        quiet = {each: seen for each, seen in quiet.items() if beats.get(each) == seen.beats}
    if not quiet:
        return {}
    with reading() as session:
        now = holding(session)
    return {each: now[each] for each, seen in quiet.items() if each in now and now[each].beats == seen.beats}


def _beats(session: Session, carriers: Iterable[int]) -> Iterator[tuple[int, int]]:
    rows = session.execute(select(Worker.id, Worker.beats).where(Worker.id.in_(list(carriers))))
    return ((number, beats) for number, beats in rows)


def findings(quiet: dict[int, Pulse]) -> list[Finding]:
    """Each silent carrier's claims. Workers hand them back by themselves after half a minute, if any is running."""
    says = "{:,} letters are in its hands, and it has not beaten for {:.0f} seconds"
    return [
        Finding(Check.DEAD_CLAIMS, f"carrier {carrier}", says.format(pulse.claims, NOTICE), fixable=True)
        for carrier, pulse in sorted(quiet.items())
    ]


DEAD = LEASE_DURATION  # seconds after which claims are handed back, as by the workers' own watch
