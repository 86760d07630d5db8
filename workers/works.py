"""What the workers do when a bell rings, put together once per process.

Every ring is short, safe to lose and safe to repeat: it looks at the database and does what is due there.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

from jinja2 import Environment

from newsletter import heartbeats, startup, templating
from newsletter.content import pictures, refreshing
from newsletter.content.digests import digests
from newsletter.content.fetching.fetcher import Fetcher, HttpFetcher
from newsletter.doorbell import Room
from newsletter.keys import Keyring, keyring
from newsletter.links import Links
from newsletter.logs import log_failure
from newsletter.mail.delivery import leases, results
from newsletter.mail.delivery.assembly import Packer
from newsletter.mail.delivery.dispatch import Dispatcher
from newsletter.mail.delivery.leases import Heart, Watch
from newsletter.mail.delivery.supervision import Oversight
from newsletter.mail.mailings import confirmations, issue_letters
from newsletter.mail.pace.pace import Pace, steady
from newsletter.mail.transport.outbox import Outbox
from newsletter.mail.transport.smtp.smtp_transport import SmtpPostman
from newsletter.mail.transport.transport import Postman
from newsletter.privacy import retention
from newsletter.relays import Relay
from newsletter.settings import Settings
from newsletter.store.database import Database
from newsletter.store.database_errors import is_unavailable
from workers import shared_state

RING = 5.0  # seconds that a ring carries letters at most before it rings again
EXPRESS = 2  # connections to a relay that each process may have for confirmations: one more than a slow verdict takes
SIGNUPS = 50  # answered in one ring, so that their letters are carried soon
FEEDS = refreshing.HANDS  # asked in one ring: as many as are asked at the same time, so that it ends within seconds
PICTURES = pictures.HANDS  # copied in one ring, likewise

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
    oversight: Oversight
    watch: Watch = field(default_factory=Watch)
    stop: Event = field(default_factory=Event)  # set when the process has to end

    def ring(self, room: Room) -> bool:
        """Do what is due in a room, step by step; a step that fails keeps none of the others from its work.

        Once the process has to end no further step begins, and carrying ends with the letter in hand.
        """
        steps = {
            Room.URGENT: (self.answer_signups, self.carry_confirmations),
            Room.BULK: (self.begin_issues, self.carry_issues, self.oversee, self.finish_issues),
            Room.FEEDS: (self.refresh_feeds, self.gather_pictures),
            Room.UPKEEP: (self.tick, self.draft_digests, self.hand_back, self.forget),
        }[room]
        more = [_done(step) for step in steps if not self.stop.is_set()]
        return any(more)

    def look(self) -> None:
        """Look whether another worker has died, as every worker does all the time; raises nothing."""
        if not self.stop.is_set():
            _done(self.hand_back)

    def answer_signups(self) -> bool:
        """Turn sign-ups into confirmation letters."""
        answered = confirmations.answer_due(
            self.database.writing,
            templates=self.templates,
            keyring=self.keyring,
            base_url=self.base_url,
            clock=self.now,
            most=SIGNUPS,
            found=self.dispatcher.right_of_way.take,
        )
        if answered:
            log.info("sign-ups answered", extra={"count": answered})
        return answered == SIGNUPS

    def carry_confirmations(self) -> bool:
        """Carry the letters that somebody waits for."""
        return self._carry(self.answer_signups, urgent=True)

    def begin_issues(self) -> bool:
        """Turn approved issues into letters."""
        issue_letters.send_approved(
            self.database.writing, templates=self.templates, base_url=self.base_url, now=self.now()
        )
        return False

    def carry_issues(self) -> bool:
        """Carry the letters of issues."""
        return self._carry(self.begin_issues, self.oversee, urgent=False)

    def oversee(self) -> bool:
        """Say what is wrong with relays, and pause issues that a person has to look at."""
        postmen = filter(None, (self.dispatcher.express, self.dispatcher.postman))
        others = [trouble for postman in postmen for trouble in postman.troubles()]
        self.oversight.act(self.dispatcher.postman.trouble(), now=self.now(), others=others)
        return False

    def finish_issues(self) -> bool:
        """Call issues sent whose last letter is decided: none of whose letters was due."""
        if not (empty := self.dispatcher.slot(urgent=False).bookmarks.empty()):
            return False
        with self.database.writing() as session:
            finished = issue_letters.finish(session, now=self.now(), among=empty)
        for issue in finished:
            log.info("issue finished", extra={"issue": issue})
        return False

    def refresh_feeds(self) -> bool:
        """Ask the feeds that are due."""
        return refreshing.refresh_due(self.database.writing, self.fetcher, now=self.now(), limit=FEEDS) == FEEDS

    def gather_pictures(self) -> bool:
        """Copy the pictures of what is new."""
        return pictures.gather(self.database.writing, self.fetcher, now=self.now(), limit=PICTURES) == PICTURES

    def tick(self) -> bool:
        """Leave a sign of life for whoever watches over the service."""
        with self.database.writing() as session:
            heartbeats.tick(session, Room.UPKEEP, now=self.now())
        return False

    def draft_digests(self) -> bool:
        """Draft the issues whose time has come; a digest that cannot be drafted holds up no other."""
        with self.database.reading() as session:
            active = digests.active(session, now=self.now())
        for digest in active:
            try:
                with self.database.writing() as session:
                    issue = digests.draft(session, digest, now=self.now())
            except Exception as error:  # whatever is wrong with this one, the others come out
                if is_unavailable(error):  # the database's trouble, not the digest's
                    raise
                log_failure(log, f"digest {digest} cannot be drafted", error)
                continue
            if issue:
                log.info("issue drafted", extra={"issue": issue.id, "status": issue.status})
        return False

    def hand_back(self) -> bool:
        """Give the letters of carriers that fell silent to whoever comes next."""
        with self.database.reading() as session:
            silent = self.watch.silent(session)
        if silent:
            with self.database.writing() as session:
                missed = leases.missed(session, silent)
                back = results.hand_back(session, missed, now=self.now()) if missed else 0
            if back:
                log.warning("letters were handed back: who carried them fell silent", extra={"count": back})
        return False

    def forget(self) -> bool:
        """Delete what has had its time."""
        with self.database.writing() as session:
            return retention.forget_due(session, now=self.now()) == retention.MOST

    def _carry(self, *besides: Callable[[], bool], urgent: bool) -> bool:
        """Carry what is due; beside a letter whose relay thinks for minutes the rest of the room's work is done."""
        until = self.dispatcher.ticks() + RING

        def meanwhile() -> None:
            for step in besides:
                _done(step)

        recorded = self.dispatcher.carry_due(urgent=urgent, until=until, meanwhile=meanwhile)
        return bool(recorded) and self.dispatcher.ticks() >= until

    def close(self) -> None:
        """Stop the heart and give connections back."""
        self.dispatcher.heart.close()
        self.dispatcher.postman.close()
        if self.dispatcher.express:
            self.dispatcher.express.close()
        self.oversight.close()
        self.database.close()


def _done(step: Callable[[], bool]) -> bool:
    """Take a step; whether more is due there."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other steps have their own work
        log_failure(log, f"{step.__name__} failed", error)
        return False


def build(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    stop: Event | None = None,
    more: Callable[[], None] = lambda: None,
) -> Works:
    """The works that the settings describe. Raises Misconfigured where schema or keys are not those of the database.

    `more` is called, and must not block, when more letters of issues are due than this process carries at once.
    """
    database, keys, stop = Database(settings.database), keyring(settings), stop or Event()
    try:
        startup.check(database, keys, now=clock())
    except Exception:
        database.close()
        raise
    oversight = Oversight(shared_state.board(settings.redis_url), database.writing)
    dispatcher = Dispatcher(
        begin=database.writing,
        stating=None if database.is_sqlite else database.stating,
        postman=postman(settings, oversight.pace, stop=stop),
        express=express(settings, oversight.urgent_pace, stop=stop),
        heard=oversight.breaker.heard,
        enough=oversight.breaker.has_tripped,
        packer=Packer(Links(keys, settings.base_url), keys),
        keyring=keys,
        heart=Heart(database.writing),
        clock=clock,
        stop=stop,
        more=more,
    )
    fetcher = HttpFetcher(allow=settings.feed_allow)
    return Works(
        database, templating.environment(), keys, settings.base_url, dispatcher, fetcher, clock, oversight, stop=stop
    )


def postman(settings: Settings, pace: Callable[[Relay], Pace] = steady, *, stop: Event | None = None) -> Postman:
    """For issues: the relays that the settings name; without one, the outbox."""
    if settings.smtp_url:
        ending = (stop or Event()).is_set
        return SmtpPostman(*settings.smtp_url, ehlo_name=settings.ehlo_name, pace=pace, ending=ending)
    return Outbox(settings.data_dir / "outbox")


def express(settings: Settings, pace: Callable[[Relay], Pace] = steady, *, stop: Event | None = None) -> Postman | None:
    """For letters that somebody waits for: the same relays, over a connection that no issue holds up."""
    if settings.smtp_url:
        ending = (stop or Event()).is_set
        return SmtpPostman(
            *settings.smtp_url, ehlo_name=settings.ehlo_name, connections=EXPRESS, pace=pace, ending=ending
        )
    return None
