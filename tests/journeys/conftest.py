"""The service in one process, and as production's processes on real servers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.bench.visitor import Visitor, browser_at
from newsletter.cli.serve import embedded_app, served
from newsletter.mail.transport.outbox import Outbox
from newsletter.queues.wakeups import Wakeups
from newsletter.settings import load
from newsletter.store.database import Database
from tests.journeys.running_service import RunningService, with_newsletter
from tests.local_http import LocalHttp, local_http
from tests.processes import connected_wakeups, production
from tests.servers.server import free_port
from tests.servers.smtp_sink import SmtpSink
from tests.whole_service import SECRET

Inbox = Callable[[], list[EmailMessage]]


@pytest.fixture
def feed() -> Iterator[LocalHttp]:
    with local_http() as feed:
        yield feed


@pytest.fixture
def embedded(sqlite_url: str, feed: LocalHttp, tmp_path: Path) -> Iterator[RunningService]:
    """One process on SQLite with an outbox."""
    outbox = Outbox(tmp_path / "outbox")
    with in_one_process(
        sqlite_url, "", feed, tmp_path, lambda: [letter.message for letter in outbox.letters(limit=1000)]
    ) as service:
        yield service


@pytest.fixture
def embedded_on_servers(
    postgresql_url: str, smtp_sink: SmtpSink, feed: LocalHttp, tmp_path: Path
) -> Iterator[RunningService]:
    """One process on PostgreSQL that sends to a relay."""
    with in_one_process(postgresql_url, smtp_sink.url, feed, tmp_path, smtp_sink.messages) as service:
        yield service


@pytest.fixture
def processes(
    postgresql_url: str, redis_url: str, smtp_sink: SmtpSink, feed: LocalHttp, tmp_path: Path
) -> Iterator[RunningService]:
    """Web, worker and beat on PostgreSQL, Redis and a relay."""
    allowed = f"127.0.0.1:{feed.port}"
    with (
        with_newsletter(postgresql_url, feed.url("/feed.xml")) as database,
        production(postgresql_url, redis_url, smtp_sink.url, tmp_path, FEED_ALLOW=allowed) as running,
        connected_wakeups(redis_url) as wakeups,
        visited(running.base_url, database, wakeups, feed, smtp_sink.messages) as service,
    ):
        yield service


SERVERS = (pytest.mark.postgresql, pytest.mark.smtp)


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("embedded_on_servers", marks=[*SERVERS, pytest.mark.slow]),
        pytest.param("processes", marks=[*SERVERS, pytest.mark.redis]),
    ]
)
def service(request: pytest.FixtureRequest) -> RunningService:
    """The service, running in each of the three ways."""
    service: RunningService = request.getfixturevalue(request.param)
    return service


@contextmanager
def in_one_process(url: str, relay: str, feed: LocalHttp, folder: Path, inbox: Inbox) -> Iterator[RunningService]:
    """Run the whole service in this process."""
    port = free_port()
    values = {
        "DATABASE_URL": url,
        "SMTP_URL": relay,
        "BASE_URL": f"http://127.0.0.1:{port}",
        "SECRET_KEYS": SECRET,
        "DATA_DIR": str(folder),
        "FEED_ALLOW": f"127.0.0.1:{feed.port}",
    }
    settings = load({f"NEWSLETTER_{name}": value for name, value in values.items()}, dotenv=None)
    with (
        with_newsletter(url, feed.url("/feed.xml")) as database,
        embedded_app(settings) as app,
        served(app, "127.0.0.1", port),
        visited(settings.base_url, database, app.state.site.wakeups, feed, inbox) as service,
    ):
        yield service


@contextmanager
def visited(
    base_url: str, database: Database, wakeups: Wakeups, feed: LocalHttp, inbox: Inbox
) -> Iterator[RunningService]:
    """Yield the running service with a visitor's browser."""
    with browser_at(base_url) as browser:
        yield RunningService(database, wakeups, Visitor(browser, Path()), feed, inbox)
