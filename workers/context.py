"""What the jobs of a worker process need, built once from the settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

from newsletter import startup, templating
from newsletter.consent.counts.day_counts import DayCounter
from newsletter.consent.limits.pressure import LetterLimits
from newsletter.content import pictures, refreshing
from newsletter.content.downloading.sandboxed import SandboxedDownloader
from newsletter.content.downloading.slots import DownloadSlots
from newsletter.content.fetching.http import user_agent
from newsletter.doctor.domains.dns import DnsResolver
from newsletter.doctor.domains.domain_examiner import DomainExaminer
from newsletter.keys import Keyring, load_keyring
from newsletter.links import Links
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.delivery_counts import DeliveryCounter
from newsletter.mail.delivery.dispatch import Dispatcher
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, LEASE_DURATION, Heartbeat, LeaseMonitor
from newsletter.mail.delivery.supervision import Supervisor
from newsletter.mail.letters.letterheads import ServiceLetterhead, service_letterhead
from newsletter.mail.mailings.confirmations.answering import Answering
from newsletter.mail.transport.outbox import Outbox
from newsletter.mail.transport.pacing import Pace, steady
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport
from newsletter.mail.transport.transport import Transport
from newsletter.relays import Relay
from newsletter.settings import Settings
from newsletter.store.database import Database
from newsletter.templating import Templates
from workers import shared_state
from workers.signup_turns import SignupTurns

# Connections to a relay that each process opens for confirmations: one more than a slow reply occupies.
URGENT_CONNECTIONS = 2
DNS_SECONDS = 15.0  # that a check of a domain waits for the DNS at most: the queue's other jobs wait for it
DOWNLOADS_END_SECONDS = 2.0  # that closing waits for the downloads that it has ended


@dataclass(frozen=True)
class Context:
    """One process's database, transports and clocks, as its jobs use them."""

    database: Database
    templates: Templates
    keyring: Keyring
    base_url: str
    dispatcher: Dispatcher
    downloader: SandboxedDownloader
    feed_slots: DownloadSlots
    picture_slots: DownloadSlots
    now: Callable[[], datetime]
    supervisor: Supervisor
    answering: Answering
    domain_examiner: DomainExaminer
    lease_monitor: LeaseMonitor = field(default_factory=LeaseMonitor)
    letterhead: ServiceLetterhead | None = None  # with which the service writes to operators
    stop: Event = field(default_factory=Event)  # set when the process has to end
    turns: SignupTurns = field(default_factory=SignupTurns)
    day_counter: DayCounter = field(default_factory=DayCounter)
    delivery_counter: DeliveryCounter = field(default_factory=DeliveryCounter)

    def close(self) -> None:
        """Stop the heartbeat, end all downloads and close every connection."""
        self.stop.set()  # no download begins any more
        self.downloader.close()
        for slots in (self.feed_slots, self.picture_slots):
            slots.wait(DOWNLOADS_END_SECONDS)  # they record that they were cancelled
        self.dispatcher.heartbeat.close()
        self.dispatcher.transport.close()
        if self.dispatcher.urgent_transport:
            self.dispatcher.urgent_transport.close()
        self.supervisor.close()
        self.database.close()


def build(
    settings: Settings,
    *,
    database: Database | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    heartbeat: float = HEARTBEAT_INTERVAL,
    lease: float = LEASE_DURATION,
    stop: Event | None = None,
    on_more_due: Callable[[], None] = lambda: None,
) -> Context:
    """Return the context that the settings describe. Raises Misconfigured if schema or keys do not fit the database.

    `database` defaults to the one in the settings; `close` closes its connections. A heartbeat is written every
    `heartbeat` seconds, and letters of workers that wrote none for `lease` seconds are reclaimed. `on_more_due` is
    called when more letters of issues are due than one claim takes; it must not block.
    """
    startup.keep_private(settings)
    keys, stop = load_keyring(settings), stop or Event()
    database = _checked(database or Database(settings.database), keys, now=clock())
    supervisor = Supervisor(shared_state.shared_state(settings.redis_url), database.writing)
    dispatcher = Dispatcher(
        begin=database.writing,
        autocommit=None if database.is_sqlite else database.autocommit,
        transport=transport(settings, supervisor.pace, stop=stop, on_open=supervisor.relay_opened),
        urgent_transport=urgent_transport(settings, supervisor.urgent_pace, stop=stop, on_open=supervisor.relay_opened),
        assembler=Assembler(Links(keys, settings.base_url, settings.desk_url), keys),
        keyring=keys,
        heartbeat=Heartbeat(database.writing, every=heartbeat),
        clock=clock,
        stop=stop,
        on_more_due=on_more_due,
    )
    downloader = SandboxedDownloader(allow=settings.feed_allow, agent=user_agent(settings.base_url))
    templates, limits = templating.environment, LetterLimits(*settings.confirmation_limits)
    answering = Answering(templates=templates, keyring=keys, base_url=settings.base_url, limits=limits)
    examiner = DomainExaminer(
        settings.base_url, settings.is_public_http, settings.ehlo_name, settings.smtp_url, resolver=_brief_resolver
    )
    parts = database, templates, keys, settings.base_url, dispatcher, downloader
    slots = refreshing.slots(stop), pictures.slots(stop)
    monitor, letterhead = LeaseMonitor(heartbeat=heartbeat, lease=lease), service_letterhead(settings)
    return Context(*parts, *slots, clock, supervisor, answering, examiner, monitor, letterhead, stop)


def _brief_resolver() -> DnsResolver:
    return DnsResolver(budget=DNS_SECONDS)


def _checked(database: Database, keys: Keyring, *, now: datetime) -> Database:
    try:
        startup.check(database, keys, now=now)
    except Exception:
        database.close()
        raise
    return database


def transport(
    settings: Settings,
    pace: Callable[[Relay], Pace] = steady,
    *,
    stop: Event | None = None,
    on_open: Callable[[Relay, Extensions], None] = lambda *_: None,
) -> Transport:
    """Return the transport of issues: the relays in the settings, or the outbox if there are none."""
    if settings.smtp_url:
        ending = (stop or Event()).is_set
        return SmtpTransport(
            *settings.smtp_url, ehlo_name=settings.ehlo_name, pace=pace, ending=ending, on_open=on_open
        )
    return Outbox(settings.data_dir / "outbox")


def urgent_transport(
    settings: Settings,
    pace: Callable[[Relay], Pace] = steady,
    *,
    stop: Event | None = None,
    on_open: Callable[[Relay, Extensions], None] = lambda *_: None,
) -> Transport | None:
    """Return the transport of urgent letters: the same relays over connections that no issue uses; None: the outbox."""
    if settings.smtp_url:
        ending = (stop or Event()).is_set
        return SmtpTransport(
            *settings.smtp_url,
            ehlo_name=settings.ehlo_name,
            connections=URGENT_CONNECTIONS,
            pace=pace,
            ending=ending,
            on_open=on_open,
        )
    return None
