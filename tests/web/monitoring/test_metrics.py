"""Metrics: what Prometheus reads, who may, and that reading is harmless."""

from math import inf

import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from sqlalchemy import update

from newsletter.consent.subscribers import Standing
from newsletter.content.feeds import Feed
from newsletter.content.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import DeliveryStatus, Tally
from newsletter.mail.pace.notices import Condition, NoticeWriter
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.web import create_app
from tests.builders import a_newsletter, a_reader, a_worker, owed
from tests.servers.server import free_port
from tests.whole_service import SECRET, Silence, WholeService, whole_service

TOKEN = "0123456789abcdef"
ANA = "ana@example.org"


def page(browser: TestClient) -> str:
    answer = browser.get("/metrics")
    assert answer.status_code == 200
    return answer.text


def scraped(browser: TestClient) -> dict[str, float]:
    """Every sample by its name and its labels' values."""
    return {
        ".".join((sample.name, *sample.labels.values())): sample.value
        for family in plain(page(browser))
        for sample in family.samples
    }


def status(browser: TestClient, **headers: str) -> int:
    written = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.get("/metrics", headers=written).status_code


def test_one_readers_way_through_the_service_is_counted(stage):
    stage.newsletter()
    stage.reader(ANA)
    stage.sign_up("berta@example.org")
    stage.clock.pass_(seconds=20)
    found = scraped(stage.browser)
    expected = {
        "database_up": 1,
        "letters.confirmation.sent": 1,
        "letters.confirmation.queued": 0,
        "letters.issue.unknown": 0,
        "claims": 1,
        "replies.2xx": 0,
        "replies.none": 1,  # the outbox says nothing
        "signups.confirmed": 1,
        "signups.received": 1,
        "signups.failed": 0,
        "consent_events_total.requested": 1,
        "consent_events_total.confirmed": 1,
        "consent_events_total.withdrawn": 0,
        "subscriptions.morning.subscribed": 1,
        "subscriptions.morning.left": 0,
        "signup_age_seconds": 20,
        "queue_age_seconds.urgent": 0,
        "queue_age_seconds.bulk": 0,
        "oldest_due_letter_age_seconds": 20,
        "tick_age_seconds": inf,
    }
    assert {name: found[f"newsletter_{name}"] for name in expected} == expected


def test_letters_are_counted_by_state_with_those_that_are_only_numbers_any_more(stage):
    replies = {
        DeliveryStatus.SENT: 250,
        DeliveryStatus.FAILED: 550,
        DeliveryStatus.QUEUED: 451,
        DeliveryStatus.WITHHELD: None,
    }
    with stage.site.database.writing() as session:
        made = owed(session, 4)
        for delivery, (stands, code) in zip(made, replies.items(), strict=True):
            delivery.status, delivery.reply_code, delivery.attempt = stands, code, 2
        session.add(Tally(letter_id=made[0].letter_id, carrier_id=a_worker(session), status=DeliveryStatus.SENT, n=7))
    stage.clock.pass_(seconds=90)
    found = scraped(stage.browser)
    assert [found[f"newsletter_letters.issue.{stands}"] for stands in replies] == [8, 1, 1, 1]
    assert [found[f"newsletter_replies.{name}"] for name in ("2xx", "4xx", "5xx", "none")] == [1, 1, 1, 1]
    assert found["newsletter_claims"] == 8
    assert found["newsletter_queue_age_seconds.bulk"] == 90
    assert found["newsletter_oldest_due_letter_age_seconds"] == 90


def test_a_paused_issue_is_no_queue(stage):
    with stage.site.database.writing() as session:
        owed(session, 1)
        session.execute(update(Issue).values(status=IssueStatus.PAUSED))
    stage.clock.pass_(seconds=90)
    found = scraped(stage.browser)
    assert found["newsletter_queue_age_seconds.bulk"] == 0
    assert found["newsletter_letters.issue.queued"] == 1
    assert found["newsletter_issues.paused"] == 1


def test_feeds_articles_and_the_last_tick_are_told(stage):
    with stage.site.database.writing() as session:
        newsletter = a_newsletter(session)
        for number, failures in enumerate((0, 0, 3)):
            feed = Feed(newsletter_id=newsletter.id, url=f"https://town.example/{number}", **times(stage, number * 60))
            feed.failures = failures
            session.add(feed)
    stage.run(Queue.UPKEEP)
    stage.clock.pass_(seconds=90)
    found = scraped(stage.browser)
    expected = {
        "feeds.ok": 2,
        "feeds.failing": 1,
        "feeds_due": 2,
        "oldest_due_feed_age_seconds": 90,
        "articles": 0,
        "tick_age_seconds": 90,
    }
    assert {name: found[f"newsletter_{name}"] for name in expected} == expected


def times(stage: WholeService, seconds: int) -> dict:
    added = stage.clock()
    stage.clock.pass_(seconds=seconds)
    due = stage.clock()
    stage.clock.pass_(seconds=-seconds)
    return {"added_at": added, "next_try_at": due}


def test_subscriptions_are_told_by_newsletter(stage):
    with stage.site.database.writing() as session:
        morning, evening = a_newsletter(session, "morning"), a_newsletter(session, "evening")
        for newsletter, standing in ((morning, Standing.ASKED), (evening, Standing.LEFT), (evening, Standing.LEFT)):
            a_reader(session, newsletter, standing=standing)
    found = scraped(stage.browser)
    counts = {name: value for name, value in found.items() if name.startswith("newsletter_subscriptions.") and value}
    assert counts == {"newsletter_subscriptions.morning.asked": 1, "newsletter_subscriptions.evening.left": 2}


def test_a_second_process_says_the_same_and_what_is_erased_takes_nothing_from_a_counter(stage):
    stage.newsletter()
    stage.sign_up(ANA)
    stage.run(Queue.URGENT)
    before = scraped(stage.browser)
    stage.clock.pass_(hours=73)
    stage.run(Queue.UPKEEP)
    other = create_app(stage.site.settings, Silence())
    with TestClient(other, base_url="http://localhost", client=("127.0.0.1", 1)) as second:
        after = scraped(second)
    assert before["newsletter_signups.asked"] - after["newsletter_signups.asked"] == 1
    for name, value in before.items():
        if name.startswith("newsletter_") and "_total." in name:
            assert after[name] >= value
    assert after["newsletter_consent_events_total.lapsed"] == 1


def test_every_series_keeps_the_rules_of_both_formats(stage):
    stage.newsletter()
    stage.reader(ANA)
    usual = stage.browser.get("/metrics")
    assert usual.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert usual.headers["Cache-Control"] == "no-store"
    families = list(plain(usual.text))
    for family in families:
        assert family.documentation
        assert all(sample.name.endswith("_total") == (family.type == "counter") for sample in family.samples)
    other = stage.browser.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert other.headers["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(other.text)} == {family.name for family in families}
    assert {"newsletter_build_info", "process_cpu_seconds"} <= {family.name for family in families}


def test_no_label_holds_an_address_or_anybodys_words(stage):
    stage.newsletter()
    stage.reader(ANA)
    with stage.site.database.writing() as session:
        owed(session, 1)
    text = page(stage.browser)
    assert "newsletter_letters" in text
    for private in ("@", "Morning", "bridge", "http", "town.example"):
        assert private not in text


def test_scraping_changes_no_row(stage):
    stage.newsletter()
    stage.reader(ANA)
    before = stage.rows()
    answers = [stage.browser.request(method, "/metrics") for method in ("GET", "HEAD")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].content == b""
    assert stage.rows() == before


def test_where_the_database_is_away_that_is_what_is_told(tmp_path):
    away = f"postgresql+psycopg://n@127.0.0.1:{free_port()}/n"
    settings = Settings(database_url=away, data_dir=tmp_path, secret_keys=SECRET)
    browser = TestClient(create_app(settings, Silence()), base_url="http://localhost", client=("127.0.0.1", 1))
    found = scraped(browser)
    assert found["newsletter_database_up"] == 0
    assert found["process_open_fds"] > 0
    assert not any(name.startswith("newsletter_letters") for name in found)


@pytest.mark.parametrize("page", ["/metrics", "/outbox"])
@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-Proto"]
)
def test_what_a_proxy_beside_us_passes_on_is_not_this_machine(sqlite_url, tmp_path, page, header):
    with whole_service(sqlite_url, tmp_path) as stage:
        assert stage.browser.get(page).status_code == 200
        assert stage.browser.get(page, headers={header: "127.0.0.1"}).status_code == 404


def test_without_a_token_only_this_machine_may_scrape(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as stage:
        assert status(stage.browser) == 200
        assert status(stage.browser, Host="letters.example.org") == 404
        for given in ("Bearer ", "Bearer", "Bearer None", f"Bearer {TOKEN}"):
            assert status(stage.browser, Host="letters.example.org", Authorization=given) == 404
        with TestClient(stage.browser.app, base_url="http://localhost", client=("192.168.1.7", 1)) as neighbour:
            assert status(neighbour) == 404


def test_who_has_the_token_may_scrape_from_anywhere(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path, metrics_token=TOKEN) as stage:
        far = {"Host": "letters.example.org", "X_Forwarded_For": "192.0.2.1"}
        assert status(stage.browser, Authorization=f"Bearer {TOKEN}", **far) == 200
        assert status(stage.browser, Authorization=f"bearer  {TOKEN}", **far) == 200
        for wrong in (f"Bearer {TOKEN}0", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer é"):
            assert status(stage.browser, Authorization=wrong.encode("latin-1"), **far) == 404
        assert status(stage.browser, **far) == 404
        assert status(stage.browser) == 200


def test_what_is_wrong_with_a_relay_is_a_sample(stage):
    known = {
        "the relay a.example:25": Condition("421", halted=False),
        "the relay b.example:25": Condition("no", lasting=True),
    }
    NoticeWriter(stage.site.database.writing).write(known, now=stage.clock())
    found = scraped(stage.browser)
    assert {name: value for name, value in found.items() if name.startswith("newsletter_relay_troubles")} == {
        "newsletter_relay_troubles.slowed.the relay a.example:25": 1,
        "newsletter_relay_troubles.lasting.the relay b.example:25": 1,
    }
