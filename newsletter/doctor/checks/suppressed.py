"""Check the marks of subscribers against the suppressions. It needs the keys: suppressions are MACs of addresses."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.subscribers.suppressions import ALL_NEWSLETTERS, Reason, Suppression, rank
from newsletter.doctor.checks.findings import MAX_FINDINGS, Check, Finding
from newsletter.keys import Keyring

CHUNK = 1000  # subscribers in memory at a time


class MarkMismatch(NamedTuple):
    """A subscriber whose mark differs from the strongest suppression of the address."""

    subscriber: int
    marked: str | None
    listed: Reason | None

    @property
    def is_too_weak(self) -> bool:
        """Whether the mark would allow a letter that a suppression forbids."""
        return self.listed is not None and (self.marked is None or rank(self.listed) > rank(Reason(self.marked)))


def suppressed(session: Session, keyring: Keyring) -> Iterator[Finding]:
    """Find subscribers whose mark, which the claim reads, is not the strongest suppression of the address."""
    for number, found in enumerate(mismatches(session, keyring)):
        if number == MAX_FINDINGS:
            yield Finding(Check.SUPPRESSED, "elsewhere", "more like these", fixable=True)
            return
        says = f"the mark is {found.marked or 'missing'}, but the suppression list says {found.listed or 'none'}"
        remedy = "" if found.is_too_weak else "Only the reader can undo a mark: it may be the only record left."
        about = f"subscriber {found.subscriber}"
        yield Finding(Check.SUPPRESSED, about, says, fixable=found.is_too_weak, remedy=remedy)


def mismatches(session: Session, keyring: Keyring) -> Iterator[MarkMismatch]:
    """Yield each subscriber whose mark differs from the suppressions."""
    people = select(Subscriber.id, Subscriber.address_key, Subscriber.suppressed)
    with_address = people.where(Subscriber.address_key.is_not(None)).order_by(Subscriber.id)
    if not session.scalar(select(exists().where(Suppression.scope == ALL_NEWSLETTERS))):
        with_address = with_address.where(Subscriber.suppressed.is_not(None))
    for chunk in session.execute(with_address.execution_options(yield_per=CHUNK)).partitions():
        yield from _compare(session, keyring, chunk)


def _compare(session: Session, keyring: Keyring, chunk: Sequence[Any]) -> Iterator[MarkMismatch]:
    listed = suppressions.strongest(session, keyring, [row.address_key for row in chunk])
    for row in chunk:
        if row.suppressed != listed.get(row.address_key):
            yield MarkMismatch(row.id, row.suppressed, listed.get(row.address_key))
