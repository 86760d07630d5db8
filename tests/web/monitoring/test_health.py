"""Health: what a supervisor, a load balancer and an uptime monitor are told."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url, text, update

from newsletter.content.issues import Issue, IssueStatus
from newsletter.mail.pace.notices import Condition, NoticeWriter
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.store.database import MOST, Database
from newsletter.web import create_app
from tests.builders import owed
from tests.servers.server import free_port
from tests.whole_service import SECRET, Silence, WholeService, whole_service

WELL = {
    "status": "ready",
    "database": "ok",
    "migrations": "current",
    "last_tick_age": 0.0,
    "oldest_due_letter_age": None,
    "late": [],
}
AWAY = {
    "status": "not ready",
    "database": "away",
    "migrations": None,
    "last_tick_age": None,
    "oldest_due_letter_age": None,
    "late": ["unknown"],
}


def asked(browser: TestClient, about: str) -> tuple[int, dict]:
    """Status and body of a page that no cache may keep."""
    answer = browser.get(f"/health/{about}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, answer.json()


def site(url: str, folder: Path) -> TestClient:
    """A site whose database was never there: it is not started, only asked."""
    app = create_app(Settings(database_url=url, data_dir=folder, secret_keys=SECRET), Silence())
    return TestClient(app, base_url="http://localhost")


def at_revision(stage: WholeService, revision: str) -> None:
    with stage.site.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_service_that_works_is_live_ready_and_in_time(stage):
    stage.run(Queue.UPKEEP)
    assert asked(stage.browser, "live") == (200, {"status": "live"})
    assert asked(stage.browser, "ready") == (200, WELL)
    assert asked(stage.browser, "work") == (200, WELL)


@pytest.mark.parametrize("about", ["live", "ready", "work"])
def test_head_is_answered_like_get_without_a_body(stage, about):
    answers = [stage.browser.request(method, f"/health/{about}") for method in ("GET", "HEAD")]
    assert len({(answer.status_code, answer.headers["Cache-Control"]) for answer in answers}) == 1
    assert answers[1].content == b""


def test_workers_that_never_ticked_or_stopped_are_late_and_the_site_serves_on(stage):
    assert asked(stage.browser, "ready") == (200, {**WELL, "last_tick_age": None, "late": ["tick"]})
    assert asked(stage.browser, "work")[0] == 503
    stage.run(Queue.UPKEEP)
    stage.clock.pass_(seconds=60)
    assert asked(stage.browser, "work") == (200, {**WELL, "last_tick_age": 60.0})
    stage.clock.pass_(seconds=1)
    late = {**WELL, "last_tick_age": 61.0, "late": ["tick"]}
    assert asked(stage.browser, "ready") == (200, late)
    assert asked(stage.browser, "work") == (503, late)


def test_a_form_that_nobody_works_on_is_late_after_five_minutes_and_the_site_serves_on(stage):
    stage.newsletter()
    stage.sign_up("ana@example.org")
    stage.clock.pass_(minutes=5)
    stage.run(Queue.UPKEEP)
    assert asked(stage.browser, "work") == (200, {**WELL, "oldest_due_letter_age": 300.0})
    stage.clock.pass_(seconds=1)
    late = {**WELL, "last_tick_age": 1.0, "oldest_due_letter_age": 301.0, "late": ["letters"]}
    assert asked(stage.browser, "ready") == (200, late)
    assert asked(stage.browser, "work") == (503, late)
    stage.run(Queue.URGENT)
    assert asked(stage.browser, "work") == (200, {**WELL, "last_tick_age": 1.0})


def test_letters_that_were_held_back_on_purpose_are_not_late(stage):
    with stage.site.database.writing() as session:
        owed(session, 1)
    stage.clock.pass_(hours=1)
    stage.run(Queue.UPKEEP)
    assert asked(stage.browser, "work")[1]["late"] == ["letters"]
    with stage.site.database.writing() as session:
        session.execute(update(Issue).values(status=IssueStatus.PAUSED))
    assert asked(stage.browser, "work") == (200, WELL)


def test_a_clock_that_is_ahead_makes_no_age_negative(stage):
    stage.run(Queue.UPKEEP)
    stage.clock.pass_(seconds=-3)
    assert asked(stage.browser, "work") == (200, WELL)


def test_a_schema_older_than_the_code_cannot_be_served(stage):
    at_revision(stage, "0001")
    told = {**AWAY, "database": "ok", "migrations": "behind"}
    assert asked(stage.browser, "ready") == (503, told)
    assert asked(stage.browser, "work") == (503, told)
    assert asked(stage.browser, "live")[0] == 200


def test_a_schema_newer_than_the_code_can_be(stage):
    stage.run(Queue.UPKEEP)
    at_revision(stage, "later")
    assert asked(stage.browser, "ready") == (200, {**WELL, "migrations": "newer"})
    assert asked(stage.browser, "work")[0] == 200


def test_asking_changes_no_row(stage):
    stage.newsletter()
    stage.sign_up("ana@example.org")
    before = stage.rows()
    for about in ("live", "ready", "work"):
        asked(stage.browser, about)
    assert stage.rows() == before


def test_a_database_that_goes_away_is_told_and_so_is_its_return(postgresql_url, tmp_path):
    with whole_service(postgresql_url, tmp_path) as stage:
        stage.run(Queue.UPKEEP)
        assert asked(stage.browser, "ready") == (200, WELL)
        with closed_to_all(postgresql_url):
            assert asked(stage.browser, "live")[0] == 200
            assert asked(stage.browser, "ready") == (503, AWAY)
            assert asked(stage.browser, "work") == (503, AWAY)
        assert asked(stage.browser, "ready") == (200, WELL)


@contextmanager
def closed_to_all(url: str) -> Iterator[None]:
    """The database lets nobody in, and those who are in are put out."""
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


def test_without_a_server_or_a_file_the_database_is_away(tmp_path):
    urls = f"postgresql+psycopg://n@127.0.0.1:{free_port()}/n", f"sqlite:///{tmp_path}/no/folder/newsletter.db"
    for url in urls:
        browser = site(url, tmp_path)
        assert asked(browser, "live")[0] == 200
        assert asked(browser, "ready") == (503, AWAY)


def test_a_database_that_accepts_and_then_says_nothing_is_away_in_time(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        browser = site(f"postgresql+psycopg://n@127.0.0.1:{mute.getsockname()[1]}/n", tmp_path)
        assert asked(browser, "ready") == (503, AWAY)
        assert asked(browser, "live")[0] == 200


def test_a_site_whose_pages_have_taken_every_connection_is_asked_nevertheless(postgresql_url, tmp_path):
    with whole_service(postgresql_url, tmp_path) as stage:
        stage.run(Queue.UPKEEP)
        taken = [stage.site.database.engine.connect() for _ in range(MOST)]
        assert asked(stage.browser, "ready") == (200, WELL)
        for connection in taken:
            connection.close()


def test_a_table_that_is_being_changed_keeps_the_ages_from_being_told_and_no_visitor_away(postgresql_url, tmp_path):
    with whole_service(postgresql_url, tmp_path) as stage:
        stage.run(Queue.UPKEEP)
        with stage.site.database.writing() as session:
            session.execute(text("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE"))
            told = {**WELL, "last_tick_age": None, "late": ["unknown"]}
            assert asked(stage.browser, "ready") == (200, told)
            assert asked(stage.browser, "work") == (503, told)
        assert asked(stage.browser, "work") == (200, WELL)


RELAY = "the relay mail.example.org:587"


def cry(stage: WholeService, **said) -> None:
    known = {RELAY: Condition("its certificate does not verify", **said)}
    NoticeWriter(stage.site.database.writing).write(known, now=stage.clock())


def test_a_relay_that_somebody_has_to_mend_is_told_to_the_monitor(stage):
    stage.run(Queue.UPKEEP)
    cry(stage, lasting=True)
    code, told = asked(stage.browser, "work")
    assert (code, told["late"]) == (503, ["relays"])
    assert told["relays"] == [f"{RELAY} (since 2026-03-14 12:00 UTC): its certificate does not verify"]
    assert asked(stage.browser, "ready")[0] == 200


def test_who_asks_from_elsewhere_hears_no_relays_name(stage):
    stage.run(Queue.UPKEEP)
    cry(stage, lasting=True)
    told = stage.browser.get("/health/work", headers={"X-Forwarded-For": "192.0.2.1"})
    assert told.json()["late"] == ["relays"]
    assert "mail.example.org" not in told.text


def test_a_relay_that_rests_for_a_while_is_nobodys_alarm_yet(stage):
    stage.run(Queue.UPKEEP)
    cry(stage)
    assert asked(stage.browser, "work")[0] == 200
    stage.clock.pass_(minutes=5, seconds=1)
    stage.run(Queue.UPKEEP)
    cry(stage, halted=False)
    assert asked(stage.browser, "work")[0] == 200
