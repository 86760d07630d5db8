"""What the relays can take, stored by the workers that connect to them and read by the sign-up form.

Without SMTPUTF8 (RFC 6531) no letter reaches an address whose local part is outside ASCII. A visitor should learn that
from the form, instead of waiting for a letter that no relay takes.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.relays import Relay
from newsletter.store.database import Base, Begin, insert_once

REPEAT_AFTER = timedelta(minutes=5)  # a worker writes again what is still true
# The servers behind one name may differ, and another worker may have met one that takes more: it counts for this long.
MOST_COUNTS_FOR = timedelta(minutes=30)
VALID_FOR = timedelta(days=7)  # after which a relay may have changed, and nothing is known of it


class RelayCapability(Base):
    """What one relay offered in its last EHLO reply (SMTPUTF8: RFC 6531 section 3.2)."""

    __tablename__ = "relay_capabilities"

    place: Mapped[str] = mapped_column(String(255), primary_key=True)  # its host and port
    takes_utf8: Mapped[bool]
    seen_at: Mapped[datetime]


class CapabilityWriter:
    """Writes what one process's relays offer: changes at once, and what is still true every five minutes."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._seen: dict[str, bool] = {}
        self._written: dict[str, tuple[bool, datetime]] = {}

    def relay_opened(self, relay: Relay, extensions: Extensions) -> None:
        """Note what a relay offers on a new connection. Callable from any thread; it writes nothing."""
        self._seen[relay.endpoint] = extensions.utf8

    def write(self, *, now: datetime) -> None:
        """Write what was noted since the last call, if it is due."""
        due = {place: utf8 for place in list(self._seen) if self._is_due(place, utf8 := self._seen.pop(place), now)}
        if not due:
            return
        with self._begin() as session:
            for place, takes_utf8 in due.items():
                _write(session, place, takes_utf8, now=now)
        self._written |= {place: (takes_utf8, now) for place, takes_utf8 in due.items()}

    def _is_due(self, place: str, takes_utf8: bool, now: datetime) -> bool:
        before, at = self._written.get(place, (None, now))
        return before is not takes_utf8 or now - at >= REPEAT_AFTER


def _write(session: Session, place: str, takes_utf8: bool, *, now: datetime) -> None:
    if insert_once(session, RelayCapability, place=place, takes_utf8=takes_utf8, seen_at=now):
        return
    row = session.scalars(select(RelayCapability).where(RelayCapability.place == place).with_for_update()).one()
    if row.takes_utf8 and not takes_utf8 and now - row.seen_at < MOST_COUNTS_FOR:
        return
    row.takes_utf8, row.seen_at = takes_utf8, now


def take_utf8(session: Session, relays: Collection[Relay], *, now: datetime) -> bool:
    """Return whether one of the relays may take an address whose local part is outside ASCII.

    Only if each of them said within a week that it does not, the answer is no. The outbox takes every address.
    """
    places = {relay.endpoint for relay in relays}
    query = select(RelayCapability.place).where(
        RelayCapability.place.in_(places),
        RelayCapability.takes_utf8.is_(False),
        RelayCapability.seen_at > now - VALID_FOR,
    )
    return not places or set(session.scalars(query)) != places
