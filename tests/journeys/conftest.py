"""The ways in which a town's service runs: all in one process, or as the processes of production on real servers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from newsletter.bench.visitor import Visitor
from newsletter.cli.serve import embedded_app, served
from newsletter.mail.transport.outbox import Outbox
from newsletter.queues.wakeups import Wakeups
from newsletter.settings import load
from newsletter.store.database import Database
from tests.journeys.running_service import RunningService, founded
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
    """One process on SQLite that keeps its letters."""
    outbox = Outbox(tmp_path / "outbox")
    with in_one_process(
        sqlite_url, "", feed, tmp_path, lambda: [kept.message for kept in outbox.letters(limit=1000)]
    ) as town:
        yield town


@pytest.fixture
def embedded_on_servers(
    postgresql_url: str, smtp_sink: SmtpSink, feed: LocalHttp, tmp_path: Path
) -> Iterator[RunningService]:
    """One process on PostgreSQL that hands its letters to a relay."""
    with in_one_process(postgresql_url, smtp_sink.url, feed, tmp_path, smtp_sink.messages) as town:
        yield town


@pytest.fixture
def processes(
    postgresql_url: str, redis_url: str, smtp_sink: SmtpSink, feed: LocalHttp, tmp_path: Path
) -> Iterator[RunningService]:
    """Web, worker and beat on PostgreSQL, Redis and a relay."""
    allowed = f"127.0.0.1:{feed.port}"
    with (
        founded(postgresql_url, feed.url("/feed.xml")) as database,
        production(postgresql_url, redis_url, smtp_sink.url, tmp_path, FEED_ALLOW=allowed) as made,
        connected_wakeups(redis_url) as bell,
        visited(made.base_url, database, bell, feed, smtp_sink.messages) as town,
    ):
        yield town


SERVERS = (pytest.mark.postgresql, pytest.mark.smtp)


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("embedded_on_servers", marks=SERVERS),
        pytest.param("processes", marks=[*SERVERS, pytest.mark.redis]),
    ]
)
def town(request: pytest.FixtureRequest) -> RunningService:
    """The same town, however its service runs."""
    town: RunningService = request.getfixturevalue(request.param)
    return town


@contextmanager
def in_one_process(url: str, relay: str, feed: LocalHttp, folder: Path, inbox: Inbox) -> Iterator[RunningService]:
    port = free_port()
    given = {
        "DATABASE_URL": url,
        "SMTP_URL": relay,
        "BASE_URL": f"http://127.0.0.1:{port}",
        "SECRET_KEYS": SECRET,
        "DATA_DIR": str(folder),
        "FEED_ALLOW": f"127.0.0.1:{feed.port}",
    }
    settings = load({f"NEWSLETTER_{name}": value for name, value in given.items()}, dotenv=None)
    with (
        founded(url, feed.url("/feed.xml")) as database,
        embedded_app(settings) as app,
        served(app, "127.0.0.1", port),
        visited(settings.base_url, database, app.state.site.wakeups, feed, inbox) as town,
    ):
        yield town


@contextmanager
def visited(
    base_url: str, database: Database, bell: Wakeups, feed: LocalHttp, inbox: Inbox
) -> Iterator[RunningService]:
    with httpx2.Client(base_url=base_url, trust_env=False) as browser:
        yield RunningService(database, bell, Visitor(browser, Path()), feed, inbox)
