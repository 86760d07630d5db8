"""Metrics: their values and formats, who may read them, and that reading changes nothing."""

from math import inf

import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from sqlalchemy import update

from newsletter.consent.subscribers.subscribers import Standing
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import DeliveryStatus, Tally
from newsletter.mail.pace.notices import Condition, NoticeWriter
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.web import create_app
from tests.builders import a_newsletter, a_reader, a_worker, owed
from tests.servers.server import free_port
from tests.whole_service import SECRET, NoWakeups, WholeService, whole_service

TOKEN = "0123456789abcdef"
ANA = "ana@example.org"


def page(browser: TestClient) -> str:
    answer = browser.get("/metrics")
    assert answer.status_code == 200
    return answer.text


def scraped(browser: TestClient) -> dict[str, float]:
    """Return every sample by its name and its labels' values."""
    return {
        ".".join((sample.name, *sample.labels.values())): sample.value
        for family in plain(page(browser))
        for sample in family.samples
    }


def status(browser: TestClient, **headers: str) -> int:
    written = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.get("/metrics", headers=written).status_code


def test_sign_ups_confirmations_and_letters_are_counted(service):
    service.newsletter()
    service.reader(ANA)
    service.sign_up("berta@example.org")
    service.clock.advance(seconds=20)
    samples = scraped(service.browser)
    expected = {
        "database_up": 1,
        "letters.confirmation.sent": 1,
        "letters.confirmation.queued": 0,
        "letters.issue.unknown": 0,
        "claims": 1,
        "replies.2xx": 0,
        "replies.none": 1,  # the outbox gives no reply
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
    assert {name: samples[f"newsletter_{name}"] for name in expected} == expected


@pytest.mark.parametrize("url", ["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.postgresql)])
@pytest.mark.parametrize(("seconds", "told"), [(30, [2, 3, 30, 0]), (86400, [0, 0, 0, 3])])
def test_letters_of_the_hour_and_the_slow_lane_are_counted(request, url, tmp_path, seconds, told):
    with whole_service(request.getfixturevalue(url), tmp_path, confirmations_per_domain=2) as service:
        service.newsletter()
        for number in range(5):
            service.sign_up(f"v{number}@example.org")
        service.run(Queue.URGENT)
        service.clock.advance(seconds=seconds)
        service.run(Queue.URGENT)
        samples = scraped(service.browser)
        names = ("confirmations_last_hour", "slow_lane_signups", "slow_lane_age_seconds", "slow_lane_lapsed_last_hour")
        assert [samples[f"newsletter_{name}"] for name in names] == told


def test_letters_are_counted_by_state_including_folded_tallies(service):
    replies = {
        DeliveryStatus.SENT: 250,
        DeliveryStatus.FAILED: 550,
        DeliveryStatus.QUEUED: 451,
        DeliveryStatus.WITHHELD: None,
    }
    with service.site.database.writing() as session:
        made = owed(session, 4)
        for delivery, (state, code) in zip(made, replies.items(), strict=True):
            delivery.status, delivery.reply_code, delivery.attempt = state, code, 2
        session.add(Tally(letter_id=made[0].letter_id, carrier_id=a_worker(session), status=DeliveryStatus.SENT, n=7))
    service.clock.advance(seconds=90)
    samples = scraped(service.browser)
    assert [samples[f"newsletter_letters.issue.{state}"] for state in replies] == [8, 1, 1, 1]
    assert [samples[f"newsletter_replies.{name}"] for name in ("2xx", "4xx", "5xx", "none")] == [1, 1, 1, 1]
    assert samples["newsletter_claims"] == 8
    assert samples["newsletter_queue_age_seconds.bulk"] == 90
    assert samples["newsletter_oldest_due_letter_age_seconds"] == 90


def test_letters_of_a_paused_issue_have_no_queue_age(service):
    with service.site.database.writing() as session:
        owed(session, 1)
        session.execute(update(Issue).values(status=IssueStatus.PAUSED))
    service.clock.advance(seconds=90)
    samples = scraped(service.browser)
    assert samples["newsletter_queue_age_seconds.bulk"] == 0
    assert samples["newsletter_letters.issue.queued"] == 1
    assert samples["newsletter_issues.paused"] == 1


def test_feeds_articles_and_the_last_heartbeat_are_reported(service):
    with service.site.database.writing() as session:
        newsletter = a_newsletter(session)
        for number, failures in enumerate((0, 0, 3)):
            feed = Feed(
                newsletter_id=newsletter.id, url=f"https://town.example/{number}", **times(service, number * 60)
            )
            feed.failures = failures
            session.add(feed)
    service.run(Queue.UPKEEP)
    service.clock.advance(seconds=90)
    samples = scraped(service.browser)
    expected = {
        "feeds.ok": 2,
        "feeds.failing": 1,
        "feeds_due": 2,
        "oldest_due_feed_age_seconds": 90,
        "articles": 0,
        "tick_age_seconds": 90,
    }
    assert {name: samples[f"newsletter_{name}"] for name in expected} == expected


def times(service: WholeService, seconds: int) -> dict:
    added = service.clock()
    service.clock.advance(seconds=seconds)
    due = service.clock()
    service.clock.advance(seconds=-seconds)
    return {"added_at": added, "next_try_at": due}


def test_subscriptions_are_counted_by_newsletter(service):
    with service.site.database.writing() as session:
        morning, evening = a_newsletter(session, "morning"), a_newsletter(session, "evening")
        for newsletter, standing in ((morning, Standing.ASKED), (evening, Standing.LEFT), (evening, Standing.LEFT)):
            a_reader(session, newsletter, standing=standing)
    samples = scraped(service.browser)
    counts = {name: value for name, value in samples.items() if name.startswith("newsletter_subscriptions.") and value}
    assert counts == {"newsletter_subscriptions.morning.asked": 1, "newsletter_subscriptions.evening.left": 2}


def test_processes_report_the_same_counts_and_erasure_decreases_no_counter(service):
    service.newsletter()
    service.sign_up(ANA)
    service.run(Queue.URGENT)
    before = scraped(service.browser)
    service.clock.advance(hours=73)
    service.run(Queue.UPKEEP)
    other = create_app(service.site.settings, NoWakeups())
    with TestClient(other, base_url="http://localhost", client=("127.0.0.1", 1)) as second:
        after = scraped(second)
    assert before["newsletter_signups.asked"] - after["newsletter_signups.asked"] == 1
    for name, value in before.items():
        if name.startswith("newsletter_") and "_total." in name:
            assert after[name] >= value
    assert after["newsletter_consent_events_total.lapsed"] == 1


def test_metrics_are_valid_in_both_formats(service):
    service.newsletter()
    service.reader(ANA)
    usual = service.browser.get("/metrics")
    assert usual.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert usual.headers["Cache-Control"] == "no-store"
    families = list(plain(usual.text))
    for family in families:
        assert family.documentation
        assert all(sample.name.endswith("_total") == (family.type == "counter") for sample in family.samples)
    other = service.browser.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert other.headers["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(other.text)} == {family.name for family in families}
    assert {"newsletter_build_info", "process_cpu_seconds"} <= {family.name for family in families}


def test_labels_contain_no_addresses_and_no_text_by_people(service):
    service.newsletter()
    service.reader(ANA)
    with service.site.database.writing() as session:
        owed(session, 1)
    text = page(service.browser)
    assert "newsletter_letters" in text
    for private in ("@", "Morning", "bridge", "http", "town.example"):
        assert private not in text


def test_scraping_changes_no_row(service):
    service.newsletter()
    service.reader(ANA)
    before = service.rows()
    answers = [service.browser.request(method, "/metrics") for method in ("GET", "HEAD")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].content == b""
    assert service.rows() == before


def test_metrics_report_that_the_database_is_away(tmp_path):
    away = f"postgresql+psycopg://n@127.0.0.1:{free_port()}/n"
    settings = Settings(database_url=away, data_dir=tmp_path, secret_keys=SECRET)
    browser = TestClient(create_app(settings, NoWakeups()), base_url="http://localhost", client=("127.0.0.1", 1))
    samples = scraped(browser)
    assert samples["newsletter_database_up"] == 0
    assert samples["process_open_fds"] > 0
    assert not any(name.startswith("newsletter_letters") for name in samples)


@pytest.mark.parametrize("page", ["/metrics", "/outbox"])
@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-Proto"]
)
def test_a_request_that_a_local_proxy_forwards_is_not_from_this_machine(sqlite_url, tmp_path, page, header):
    with whole_service(sqlite_url, tmp_path) as service:
        assert service.browser.get(page).status_code == 200
        assert service.browser.get(page, headers={header: "127.0.0.1"}).status_code == 404


def test_without_a_token_only_this_machine_may_scrape(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        assert status(service.browser) == 200
        assert status(service.browser, Host="letters.example.org") == 404
        for wrong in ("Bearer ", "Bearer", "Bearer None", f"Bearer {TOKEN}"):
            assert status(service.browser, Host="letters.example.org", Authorization=wrong) == 404
        with TestClient(service.browser.app, base_url="http://localhost", client=("192.168.1.7", 1)) as neighbor:
            assert status(neighbor) == 404


def test_with_the_token_any_machine_may_scrape(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path, metrics_token=TOKEN) as service:
        far = {"Host": "letters.example.org", "X_Forwarded_For": "192.0.2.1"}
        assert status(service.browser, Authorization=f"Bearer {TOKEN}", **far) == 200
        assert status(service.browser, Authorization=f"bearer  {TOKEN}", **far) == 200
        for wrong in (f"Bearer {TOKEN}0", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer é"):
            assert status(service.browser, Authorization=wrong.encode("latin-1"), **far) == 404
        assert status(service.browser, **far) == 404
        assert status(service.browser) == 200


def test_problems_of_relays_are_reported(service):
    known = {
        "the relay a.example:25": Condition("421", halted=False),
        "the relay b.example:25": Condition("no", lasting=True),
    }
    NoticeWriter(service.site.database.writing).write(known, now=service.clock())
    samples = scraped(service.browser)
    assert {name: value for name, value in samples.items() if name.startswith("newsletter_relay_troubles")} == {
        "newsletter_relay_troubles.slowed.the relay a.example:25": 1,
        "newsletter_relay_troubles.lasting.the relay b.example:25": 1,
    }
