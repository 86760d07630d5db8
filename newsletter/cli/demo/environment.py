"""The demo's service: in this process, or as production's processes on given servers, in a folder of its own."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2

from newsletter import audit_log, clock, settings
from newsletter.bench.processes import Processes, unwinding_on_signals
from newsletter.bench.servers import external
from newsletter.bench.visitor import ReceivedLetters, browser_at, wait_for
from newsletter.cli.demo.inboxes import Maildir, Relayed
from newsletter.cli.serve import embedded_app, listening, served
from newsletter.errors import NewsletterError
from newsletter.mail.delivery.assembly import Assembler
from newsletter.queues import broker
from newsletter.settings import PREFIX, Settings
from newsletter.upgrade import bring_up_to_date
from newsletter.web.site import Site

HOST = "127.0.0.1"
FOLDER = Path("var") / "demo"
UVICORN_ARGUMENTS = (
    *("--factory", "newsletter.web:create_app", "--http", "newsletter.web.http_protocol:PunctualHTTP"),
    *("--no-proxy-headers", "--timeout-graceful-shutdown", "5"),
)


@dataclass(frozen=True)
class DemoOptions:
    """The port and the servers that the command line names."""

    port: int
    database: str = ""
    redis: str = ""
    relay: str = ""

    def environ(self, feed_host: str) -> dict[str, str]:
        """Return the demo's settings as variables; the environment's own may belong to a real newsletter.

        A given database gets a new key under a new name: an earlier demo may have left its key in the database, and no
        row refers to that one, so it is forgotten.
        """
        values = {
            "BASE_URL": f"http://{HOST}:{self.port}",
            "CONFIRMATIONS_PER_DOMAIN": "100000",  # all readers of the demo share one domain
            "CONFIRMATIONS_PER_HOUR": "100000",
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
    """A running service."""

    site: Site
    inbox: ReceivedLetters  # the readers' letters
    servers: dict[str, str]  # name and version of each given server, by part
    check_progress: Callable[[], None]  # raises NewsletterError if waiting is pointless: a process or a letter failed
    check: Callable[[], None]  # raises NewsletterError if one of its processes has ended


@contextmanager
def started(options: DemoOptions, *, feed_host: str) -> Iterator[DemoService]:
    """Run the service in its own folder, on the given servers; leaving the block ends all its processes.

    Raises NewsletterError, before anything is written, if a given server cannot be used or is in use.
    """
    environ = options.environ(feed_host)
    with external.explain_as_options(), listening(HOST, options.port):
        configuration = settings.load(environ, dotenv=None)
        servers = external.check_unused(configuration)
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        bring_up_to_date(configuration, actor=audit_log.system_user(), now=clock.now())
    with (
        unwinding_on_signals(),
        Processes(FOLDER, _inherited() | environ) as processes,
        _site(configuration, processes, options.port) as site,
    ):
        yield _demo_service(site, servers, processes)


def _demo_service(site: Site, servers: dict[str, str], processes: Processes) -> DemoService:
    if not site.settings.smtp_url:
        return DemoService(site, Maildir(site.settings.data_dir / "outbox"), servers, processes.check, processes.check)
    relayed = Relayed(site.database, Assembler(site.links, site.keyring))
    return DemoService(site, relayed, servers, partial(_check_progress, processes, relayed), processes.check)


def _check_progress(processes: Processes, relayed: Relayed) -> None:
    processes.check()
    relayed.check()


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _site(configuration: Settings, processes: Processes, port: int) -> AbstractContextManager[Site]:
    if configuration.redis_url:
        return _in_separate_processes(configuration, processes, port)
    return _in_this_process(configuration, port)


@contextmanager
def _in_this_process(configuration: Settings, port: int) -> Iterator[Site]:
    with embedded_app(configuration) as app, served(app, HOST, port):
        yield app.state.site


@contextmanager
def _in_separate_processes(configuration: Settings, processes: Processes, port: int) -> Iterator[Site]:
    """Start production's processes; the yielded Site only reads the database and wakes queues, as a command does."""
    processes.start("site", "uvicorn", *UVICORN_ARGUMENTS, "--port", str(port))
    processes.start("worker", "celery", "-A", "workers", "worker")
    processes.start("beat", "celery", "-A", "workers", "beat")
    with broker.connect(configuration.redis_url) as celery, closing(broker.wakeups(celery)) as wakeups:
        site = Site.build(configuration, wakeups)
        with closing(site.database):
            with browser_at(configuration.base_url) as browser:
                wait_for(lambda: _answers(browser), "the site to answer", check=processes.check)
            try:
                yield site
            except NewsletterError:
                processes.check()  # an ended process is the likelier cause, and raises here
                raise


def _answers(browser: httpx2.Client) -> bool:
    try:
        browser.get("/health/live")
    except httpx2.TransportError:
        return False
    return True
