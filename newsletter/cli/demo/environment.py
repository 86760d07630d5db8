"""Staging: the service that the demo shows, in this process or as those of production, with what it needs around it."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from newsletter import audit_log, clock, settings
from newsletter.bench.processes import Processes, leaving_in_order
from newsletter.bench.servers import external
from newsletter.bench.visitor import Inbox, until
from newsletter.cli.demo.inboxes import Maildir, Relayed
from newsletter.cli.serve import listening, served, working
from newsletter.errors import NewsletterError
from newsletter.mail.delivery.assembly import Assembler
from newsletter.queues import broker
from newsletter.settings import PREFIX, Settings
from newsletter.upgrade import bring_up_to_date
from newsletter.web.site import Site

HOST = "127.0.0.1"
FOLDER = Path("var") / "demo"
SITE = ("--factory", "newsletter.web:create_app", "--no-proxy-headers", "--timeout-graceful-shutdown", "5")


@dataclass(frozen=True)
class DemoOptions:
    """What the command line says of the demo's surroundings."""

    port: int
    database: str = ""
    redis: str = ""
    relay: str = ""

    def environ(self, feed_host: str) -> dict[str, str]:
        """The demo's settings as variables, and none of the environment's: that may be a real newsletter's.

        A database gets a key of its own, under a name of its own: where an earlier demo had not come further than to
        note its key, nothing names that one, and it is forgotten.
        """
        values = {
            "BASE_URL": f"http://{HOST}:{self.port}",
            "DATA_DIR": str(FOLDER.resolve()),
            "DATABASE_URL": self.database,
            "FEED_ALLOW": feed_host,
            "REDIS_URL": self.redis,
            "SECRET_KEYS": f"{secrets.token_hex(4)}:{secrets.token_urlsafe(32)}" if self.database else "",
            "SMTP_URL": self.relay,
        }
        return {PREFIX + name: value for name, value in values.items()}


@dataclass(frozen=True)
class DemoService:
    """A running service, as whoever operates it sees it."""

    site: Site
    inbox: Inbox  # where its readers' letters are
    servers: dict[str, str]  # what it runs on, by part
    watch: Callable[[], None]  # raises NewsletterError where waiting has no sense any more
    check: Callable[[], None]  # raises it where one of its processes has ended


@contextmanager
def started(given: DemoOptions, *, feed_host: str) -> Iterator[DemoService]:
    """The service in a folder of its own, on the servers that are given. It ends on leaving, with all its processes.

    Raises NewsletterError, before anything is written, where one of the servers cannot be used or is somebody's.
    """
    environ = given.environ(feed_host)
    with external.explain_as_options(), listening(HOST, given.port):
        found = settings.load(environ, dotenv=None)
        answers = external.asked(found)
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        bring_up_to_date(found, actor=audit_log.system_user(), now=clock.now())
    with (
        leaving_in_order(),
        Processes(FOLDER, _inherited() | environ) as processes,
        _site(found, processes, given.port) as site,
    ):
        yield _stage(site, answers, processes)


def _stage(site: Site, answers: dict[str, str], processes: Processes) -> DemoService:
    if not site.settings.smtp_url:
        return DemoService(site, Maildir(site.settings.data_dir / "outbox"), answers, processes.check, processes.check)
    relayed = Relayed(site.database, Assembler(site.links, site.keyring))

    def watch() -> None:
        processes.check()
        relayed.check()

    return DemoService(site, relayed, answers, watch, processes.check)


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _site(found: Settings, processes: Processes, port: int) -> AbstractContextManager[Site]:
    return _apart(found, processes, port) if found.redis_url else _here(found, port)


@contextmanager
def _here(found: Settings, port: int) -> Iterator[Site]:
    """Everything in this process."""
    with working(found) as app, served(app, HOST, port):
        yield app.state.site


@contextmanager
def _apart(found: Settings, processes: Processes, port: int) -> Iterator[Site]:
    """The processes of production; what this one has of the site rings and reads as the operator's command does."""
    processes.start("site", "uvicorn", *SITE, "--port", str(port))
    processes.start("worker", "celery", "-A", "workers", "worker")
    processes.start("beat", "celery", "-A", "workers", "beat")
    with broker.connect(found.redis_url) as celery, closing(broker.wakeups(celery)) as wakeups:
        site = Site.build(found, wakeups)
        with closing(site.database):
            with httpx2.Client(base_url=found.base_url, trust_env=False) as browser:
                until(lambda: _answers(browser), "the site to answer", watch=processes.check)
            try:
                yield site
            except NewsletterError:
                processes.check()  # what went wrong may only be what came of that
                raise


def _answers(browser: httpx2.Client) -> bool:
    try:
        browser.get("/health/live")
    except httpx2.TransportError:
        return False
    return True
