"""Health: the answers for a supervisor, a load balancer and an uptime monitor."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url, text, update

from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.pace.notices import Condition, NoticeWriter
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.store.database import POOL_LIMIT, Database
from newsletter.web import create_app
from tests.builders import owed
from tests.content.builders import a_feed, a_newsletter
from tests.servers.server import free_port
from tests.whole_service import SECRET, NoWakeups, WholeService, whole_service

WELL = {
    "status": "ready",
    "database": "ok",
    "migrations": "current",
    "last_tick_age": 0.0,
    "oldest_due_letter_age": None,
    "oldest_due_feed_age": None,
    "late": [],
}
AWAY = {
    "status": "not ready",
    "database": "away",
    "migrations": None,
    "last_tick_age": None,
    "oldest_due_letter_age": None,
    "oldest_due_feed_age": None,
    "late": ["unknown"],
}


def health(browser: TestClient, about: str) -> tuple[int, dict]:
    """Return status and body of a health page, which no cache may store."""
    answer = browser.get(f"/health/{about}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, answer.json()


def site(url: str, folder: Path) -> TestClient:
    """Return a site whose database does not exist. Its startup does not run."""
    app = create_app(Settings(database_url=url, data_dir=folder, secret_keys=SECRET), NoWakeups())
    return TestClient(app, base_url="http://localhost")


def at_revision(service: WholeService, revision: str) -> None:
    with service.site.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_working_service_is_live_ready_and_not_late(service):
    service.run(Queue.UPKEEP)
    assert health(service.browser, "live") == (200, {"status": "live"})
    assert health(service.browser, "ready") == (200, WELL)
    assert health(service.browser, "work") == (200, WELL)


@pytest.mark.parametrize("about", ["live", "ready", "work"])
def test_head_is_answered_like_get_without_a_body(service, about):
    answers = [service.browser.request(method, f"/health/{about}") for method in ("GET", "HEAD")]
    assert len({(answer.status_code, answer.headers["Cache-Control"]) for answer in answers}) == 1
    assert answers[1].content == b""


def test_missing_heartbeats_are_late_after_a_minute_but_the_site_stays_ready(service):
    assert health(service.browser, "ready") == (200, {**WELL, "last_tick_age": None, "late": ["tick"]})
    assert health(service.browser, "work")[0] == 503
    service.run(Queue.UPKEEP)
    service.clock.advance(seconds=60)
    assert health(service.browser, "work") == (200, {**WELL, "last_tick_age": 60.0})
    service.clock.advance(seconds=1)
    late = {**WELL, "last_tick_age": 61.0, "late": ["tick"]}
    assert health(service.browser, "ready") == (200, late)
    assert health(service.browser, "work") == (503, late)


def test_an_unprocessed_sign_up_is_late_after_five_minutes_but_the_site_stays_ready(service):
    service.newsletter()
    service.sign_up("ana@example.org")
    service.clock.advance(minutes=5)
    service.run(Queue.UPKEEP)
    assert health(service.browser, "work") == (200, {**WELL, "oldest_due_letter_age": 300.0})
    service.clock.advance(seconds=1)
    late = {**WELL, "last_tick_age": 1.0, "oldest_due_letter_age": 301.0, "late": ["letters"]}
    assert health(service.browser, "ready") == (200, late)
    assert health(service.browser, "work") == (503, late)
    service.run(Queue.URGENT)
    assert health(service.browser, "work") == (200, {**WELL, "last_tick_age": 1.0})


def test_a_feed_that_no_worker_reads_is_late_after_ten_minutes_but_the_site_stays_ready(service):
    with service.site.database.writing() as session:
        feed = a_feed(session, a_newsletter(session))
    service.clock.advance(minutes=10)
    service.run(Queue.UPKEEP)
    assert health(service.browser, "work") == (200, {**WELL, "oldest_due_feed_age": 600.0})
    service.clock.advance(seconds=1)
    late = {**WELL, "last_tick_age": 1.0, "oldest_due_feed_age": 601.0, "late": ["feeds"]}
    assert health(service.browser, "ready") == (200, late)
    assert health(service.browser, "work") == (503, late)
    with service.site.database.writing() as session:
        assert [due.id for due in feeds.claim_due(session, now=service.clock(), limit=9)] == [feed.id]
    assert health(service.browser, "work")[1]["late"] == []


@pytest.mark.parametrize("column", ["paused_at", "removed_at", "overruns"])
def test_feeds_that_nobody_expects_to_be_read_now_are_not_late(service, column):
    with service.site.database.writing() as session:
        feed = a_feed(session, a_newsletter(session))
        setattr(feed, column, 1 if column == "overruns" else service.clock())
    service.run(Queue.UPKEEP)
    service.clock.advance(hours=1)
    assert "feeds" not in health(service.browser, "work")[1]["late"]


def test_letters_of_a_paused_issue_are_not_late(service):
    with service.site.database.writing() as session:
        owed(session, 1)
        session.execute(update(Feed).values(paused_at=service.clock()))
    service.clock.advance(hours=1)
    service.run(Queue.UPKEEP)
    assert health(service.browser, "work")[1]["late"] == ["letters"]
    with service.site.database.writing() as session:
        session.execute(update(Issue).values(status=IssueStatus.PAUSED))
    assert health(service.browser, "work") == (200, WELL)


def test_a_heartbeat_in_the_future_has_the_age_zero(service):
    service.run(Queue.UPKEEP)
    service.clock.advance(seconds=-3)
    assert health(service.browser, "work") == (200, WELL)


def test_with_a_schema_older_than_the_code_the_site_is_not_ready(service):
    at_revision(service, "0001")
    body = {**AWAY, "database": "ok", "migrations": "behind"}
    assert health(service.browser, "ready") == (503, body)
    assert health(service.browser, "work") == (503, body)
    assert health(service.browser, "live")[0] == 200


def test_with_a_schema_newer_than_the_code_the_site_is_ready(service):
    service.run(Queue.UPKEEP)
    at_revision(service, "later")
    assert health(service.browser, "ready") == (200, {**WELL, "migrations": "newer"})
    assert health(service.browser, "work")[0] == 200


def test_health_checks_change_no_row(service):
    service.newsletter()
    service.sign_up("ana@example.org")
    before = service.rows()
    for about in ("live", "ready", "work"):
        health(service.browser, about)
    assert service.rows() == before


def test_health_reports_that_the_database_goes_away_and_returns(postgresql_url, tmp_path):
    with whole_service(postgresql_url, tmp_path) as service:
        service.run(Queue.UPKEEP)
        assert health(service.browser, "ready") == (200, WELL)
        with closed_to_all(postgresql_url):
            assert health(service.browser, "live")[0] == 200
            assert health(service.browser, "ready") == (503, AWAY)
            assert health(service.browser, "work") == (503, AWAY)
        assert health(service.browser, "ready") == (200, WELL)


@contextmanager
def closed_to_all(url: str) -> Iterator[None]:
    """Make the database refuse connections and close the existing ones."""
    name = make_url(url).database
    server = Database(make_url(url).set(database="postgres").render_as_string(hide_password=False))
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        yield
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    server.close()


def test_without_a_server_or_file_the_database_is_away(tmp_path):
    urls = f"postgresql+psycopg://n@127.0.0.1:{free_port()}/n", f"sqlite:///{tmp_path}/no/folder/newsletter.db"
    for url in urls:
        browser = site(url, tmp_path)
        assert health(browser, "live")[0] == 200
        assert health(browser, "ready") == (503, AWAY)


def test_a_database_that_accepts_connections_but_never_answers_is_away(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        browser = site(f"postgresql+psycopg://n@127.0.0.1:{mute.getsockname()[1]}/n", tmp_path)
        assert health(browser, "ready") == (503, AWAY)
        assert health(browser, "live")[0] == 200


def test_health_answers_while_pages_use_every_connection(postgresql_url, tmp_path):
    with whole_service(postgresql_url, tmp_path) as service:
        service.run(Queue.UPKEEP)
        taken = [service.site.database.engine.connect() for _ in range(POOL_LIMIT)]
        assert health(service.browser, "ready") == (200, WELL)
        for connection in taken:
            connection.close()


def test_with_a_locked_table_the_ages_are_unknown_and_the_site_stays_ready(postgresql_url, tmp_path):
    with whole_service(postgresql_url, tmp_path) as service:
        service.run(Queue.UPKEEP)
        with service.site.database.writing() as session:
            session.execute(text("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE"))
            body = {**WELL, "last_tick_age": None, "late": ["unknown"]}
            assert health(service.browser, "ready") == (200, body)
            assert health(service.browser, "work") == (503, body)
        assert health(service.browser, "work") == (200, WELL)


RELAY = "the relay mail.example.org:587"


def write_notice(service: WholeService, **condition) -> None:
    known = {RELAY: Condition("its certificate does not verify", **condition)}
    NoticeWriter(service.site.database.writing).write(known, now=service.clock())


def test_a_relay_that_needs_an_operator_is_late_for_the_monitor(service):
    service.run(Queue.UPKEEP)
    write_notice(service, lasting=True)
    code, body = health(service.browser, "work")
    assert (code, body["late"]) == (503, ["relays"])
    assert body["relays"] == [f"{RELAY} (since 2026-03-14 12:00 UTC): its certificate does not verify"]
    assert health(service.browser, "ready")[0] == 200


def test_requests_from_elsewhere_see_no_relays_name(service):
    service.run(Queue.UPKEEP)
    write_notice(service, lasting=True)
    response = service.browser.get("/health/work", headers={"X-Forwarded-For": "192.0.2.1"})
    assert response.json()["late"] == ["relays"]
    assert "mail.example.org" not in response.text


def test_a_halted_relay_is_late_only_after_five_minutes(service):
    service.run(Queue.UPKEEP)
    write_notice(service)
    assert health(service.browser, "work")[0] == 200
    service.clock.advance(minutes=5, seconds=1)
    service.run(Queue.UPKEEP)
    write_notice(service, halted=False)
    assert health(service.browser, "work")[0] == 200
