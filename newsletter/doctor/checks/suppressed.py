"""Suppressed subscribers against the suppressions, which only the keys can compare: addresses are kept as MACs."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent.subscribers import Subscriber
from newsletter.consent.suppressions import ALL_NEWSLETTERS, Reason, Suppression
from newsletter.doctor.checks.findings import MOST, Check, Finding
from newsletter.keys import Keyring

CHUNK = 1000  # subscribers in memory at a time


class Marked(NamedTuple):
    """A subscriber whose mark is not what the suppressions come to."""

    subscriber: int
    shown: str | None
    told: Reason | None

    @property
    def is_too_weak(self) -> bool:
        """Whether the mark would let a letter leave that a suppression forbids."""
        return self.told is not None and (self.shown is None or _rank(self.told) > _rank(Reason(self.shown)))


def suppressed(session: Session, keyring: Keyring) -> Iterator[Finding]:
    """The mark that the claim reads is the strongest suppression there is for the address."""
    for number, found in enumerate(differing(session, keyring)):
        if number == MOST:
            yield Finding(Check.SUPPRESSED, "elsewhere", "there are more like these", fixable=True)
            return
        says = f"the mark says {found.shown or 'nothing'}, the suppressions {found.told or 'nothing'}"
        remedy = (
            "" if found.is_too_weak else "A mark is never taken away without the reader: it may be all that is left."
        )
        about = f"subscriber {found.subscriber}"
        yield Finding(Check.SUPPRESSED, about, says, fixable=found.is_too_weak, remedy=remedy)


def differing(session: Session, keyring: Keyring) -> Iterator[Marked]:
    """Whose mark differs, a thousand subscribers at a time."""
    people = select(Subscriber.id, Subscriber.address_key, Subscriber.suppressed)
    known = people.where(Subscriber.address_key.is_not(None)).order_by(Subscriber.id)
    if not session.scalar(select(exists().where(Suppression.scope == ALL_NEWSLETTERS))):
        known = known.where(Subscriber.suppressed.is_not(None))
    for chunk in session.execute(known.execution_options(yield_per=CHUNK)).partitions():
        yield from _compare(session, keyring, chunk)


def _compare(session: Session, keyring: Keyring, chunk: Sequence[Any]) -> Iterator[Marked]:
    whose = {addresses.fingerprint(keyring, row.address_key, key=key): row.id for row in chunk for key in keyring}
    told: dict[int, Reason] = {}
    rows = select(Suppression.mac, Suppression.reason).where(Suppression.scope == ALL_NEWSLETTERS)
    for mac, reason in session.execute(rows.where(Suppression.mac.in_(whose))):
        subscriber = whose[mac]
        told[subscriber] = max(reason, told.get(subscriber, reason), key=_rank)
    for row in chunk:
        if row.suppressed != told.get(row.id):
            yield Marked(row.id, row.suppressed, told.get(row.id))


def _rank(reason: Reason) -> int:
    return list(Reason).index(reason)
