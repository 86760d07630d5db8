"""What the workers do when a bell rings, put together once per process.

Every ring is short, safe to lose and safe to repeat: it looks at the database and does what is due there.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jinja2 import Environment

from newsletter import templating
from newsletter.content import digests, pictures, refreshing
from newsletter.content.fetching import Fetcher, HttpFetcher
from newsletter.database import Database
from newsletter.doorbell import Room
from newsletter.keys import Keyring, keyring
from newsletter.links import Links
from newsletter.post import confirmations, mailings, records
from newsletter.post.carriers import Heart, Watch
from newsletter.post.dispatch import Dispatcher
from newsletter.post.outbox import Outbox
from newsletter.post.parcels import Packer
from newsletter.post.postman import Postman
from newsletter.post.smtp import SmtpPostman
from newsletter.privacy import retention
from newsletter.settings import Settings

RING = 5.0  # seconds that a ring carries letters at most before it rings again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Works:
    """One process's rooms, by the bell that calls it there. Each returns whether more is due at once."""

    database: Database
    templates: Environment
    keyring: Keyring
    base_url: str
    dispatcher: Dispatcher
    fetcher: Fetcher
    now: Callable[[], datetime]
    watch: Watch = field(default_factory=Watch)

    def ring(self, room: Room) -> bool:
        """Do what is due in a room."""
        return {
            Room.URGENT: self._urgent,
            Room.BULK: self._bulk,
            Room.FEEDS: self._feeds,
            Room.UPKEEP: self._upkeep,
        }[room]()

    def _urgent(self) -> bool:
        """Answer sign-ups, then carry the confirmations."""
        most = 200
        answered = confirmations.answer_due(
            self.database.writing,
            templates=self.templates,
            keyring=self.keyring,
            base_url=self.base_url,
            clock=self.now,
            most=most,
        )
        return self._carry(urgent=True) or answered == most

    def _bulk(self) -> bool:
        """Begin approved issues, carry their letters, and call them sent when the last is decided."""
        with self.database.writing() as session:
            mailings.send_approved(session, templates=self.templates, base_url=self.base_url, now=self.now())
        more = self._carry(urgent=False)
        with self.database.writing() as session:
            mailings.finish(session, now=self.now())
        return more

    def _feeds(self) -> bool:
        """Ask the feeds that are due, then fetch the pictures of what is new."""
        most = 20
        asked = refreshing.refresh_due(self.database.writing, self.fetcher, now=self.now(), limit=most)
        pictures.gather(self.database.writing, self.fetcher, now=self.now(), limit=most)
        return asked == most

    def _upkeep(self) -> bool:
        """Draft the digests that are due, hand back what dead carriers held, forget what has had its time."""
        with self.database.writing() as session:
            digests.draft_due(session, now=self.now())
        with self.database.writing() as session:
            if silent := self.watch.silent(session):
                back = records.hand_back(session, silent, now=self.now())
                log.warning("%d letters were handed back by carriers that fell silent", back)
        with self.database.writing() as session:
            return retention.forget_due(session, now=self.now()) == retention.MOST

    def _carry(self, *, urgent: bool) -> bool:
        until = time.monotonic() + RING
        recorded = self.dispatcher.carry_due(urgent=urgent, until=until)
        return bool(recorded) and time.monotonic() >= until

    def close(self) -> None:
        """Stop the heart and give connections back."""
        self.dispatcher.heart.close()
        self.database.close()


def build(settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Works:
    """The works that the settings describe."""
    database, keys = Database(settings.database), keyring(settings)
    dispatcher = Dispatcher(
        begin=database.writing,
        postman=postman(settings),
        packer=Packer(Links(keys, settings.base_url), keys),
        keyring=keys,
        heart=Heart(database.writing),
        clock=clock,
    )
    fetcher = HttpFetcher(allow=settings.feed_allow)
    return Works(database, templating.environment(), keys, settings.base_url, dispatcher, fetcher, clock)


def postman(settings: Settings) -> Postman:
    """The relay that the settings name; without one, the outbox."""
    if settings.smtp_url:
        return SmtpPostman(settings.smtp_url[0], ehlo_name=settings.ehlo_name)
    return Outbox(settings.data_dir / "outbox")
