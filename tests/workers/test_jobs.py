"""The jobs of each queue do what is due in the database, in a short time."""

import logging
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import OperationalError

from newsletter import newsletters
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.content.articles.articles import Article
from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import issues
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.errors import Misconfigured
from newsletter.mail.delivery import claims
from newsletter.mail.delivery.backpressure import INITIAL_LETTERS
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.delivery.leases import LEASE_DURATION, LeaseMonitor
from newsletter.mail.transport.outbox import Outbox
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport
from newsletter.mail.transport.transport import Outcome
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from tests.builders import a_newsletter, a_reader, a_signup, a_worker, an_issue, owed
from tests.clock import NOON
from tests.content.builders import downloads
from tests.transports import FakeMonotonic, FakeTransport
from tests.whole_service import WholeService
from workers import context, jobs
from workers.context import Context
from workers.jobs import SEND_SECONDS

FEED = b"""<rss version="2.0"><channel><title>Town</title><link>https://town.example/</link><description/>
<item><title>A bridge opens</title><link>https://town.example/bridge</link><guid>1</guid></item></channel></rss>"""


ADDRESS = "ana@example.org"


def statuses(service: WholeService) -> list[DeliveryStatus]:
    with service.site.database.reading() as session:
        return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))


def add_signups(service: WholeService, number: int) -> None:
    with service.site.database.writing() as session:
        newsletter = newsletters.by_slug(session, "morning") or a_newsletter(session)
        for _ in range(number):
            a_signup(session, newsletter)


def test_waking_urgent_turns_sign_ups_into_sent_letters(service):
    add_signups(service, 2)
    assert jobs.run(Queue.URGENT, service.context) is False
    assert len(service.letters()) == 2
    assert statuses(service) == [DeliveryStatus.SENT] * 2


def test_waking_urgent_says_that_more_is_due(service):
    add_signups(service, INITIAL_LETTERS + 1)
    assert jobs.run(Queue.URGENT, service.context) is True
    assert len(service.letters()) == INITIAL_LETTERS, "the first letters do not wait for the last sign-up"
    assert jobs.run(Queue.URGENT, service.context) is False
    assert len(service.letters()) == INITIAL_LETTERS + 1


def test_waking_bulk_begins_sends_and_finishes_an_issue(service):
    with service.site.database.writing() as session:
        newsletter = a_newsletter(session)
        for _ in range(3):
            a_reader(session, newsletter)
        issue = an_issue(session, newsletter, status=IssueStatus.APPROVED)
    assert jobs.run(Queue.BULK, service.context) is False
    assert len(service.letters()) == 3
    with service.site.database.reading() as session:
        assert session.get_one(Issue, issue.id).status is IssueStatus.SENT
        assert examination.examine(session) == []


def test_sending_ends_after_its_seconds_and_says_that_more_is_due(service):
    with service.site.database.writing() as session:
        owed(session, 12)
    monotonic = FakeMonotonic()
    transport = FakeTransport(monotonic=monotonic, seconds=1.0)
    busy = replace(
        service.context, dispatcher=replace(service.context.dispatcher, transport=transport, monotonic=monotonic)
    )
    started = monotonic()
    assert jobs.run(Queue.BULK, busy) is True
    assert monotonic() - started == SEND_SECONDS
    assert len(transport.taken) == SEND_SECONDS
    assert jobs.run(Queue.BULK, busy) is True
    while jobs.run(Queue.BULK, busy):
        pass
    assert len(set(transport.taken)) == len(transport.taken) == 12


def test_a_relay_that_takes_nothing_is_not_tried_again_at_once(service):
    with service.site.database.writing() as session:
        owed(session, 3)
    closed_transport = FakeTransport(monotonic=FakeMonotonic(), limit=0)
    closed = replace(service.context, dispatcher=replace(service.context.dispatcher, transport=closed_transport))
    assert jobs.run(Queue.BULK, closed) is False
    assert statuses(service) == [DeliveryStatus.QUEUED] * 3


def test_waking_feeds_stores_new_articles(service):
    with service.site.database.writing() as session:
        newsletter = a_newsletter(session)
        session.add(Feed(newsletter_id=newsletter.id, url="https://town.example/feed", added_at=NOON, next_try_at=NOON))
    fed = replace(service.context, downloader=downloads({"https://town.example/feed": FEED}))
    assert jobs.run(Queue.FEEDS, fed) is True, "more may have become due meanwhile"
    assert jobs.run(Queue.FEEDS, fed) is False
    with service.site.database.reading() as session:
        assert session.scalars(select(Article.title)).all() == ["A bridge opens"]


def test_waking_upkeep_drafts_reclaims_and_deletes(service):
    with service.site.database.writing() as session:
        newsletter = a_newsletter(session)
        an_issue(session, newsletter, status=IssueStatus.CANCELLED)
        digests.add(
            session,
            newsletter,
            name="daily",
            cron="0 12 * * *",
            zone="UTC",
            actor="tests",
            now=NOON - timedelta(days=1),
        )
        signup = a_signup(session, newsletter, received_at=NOON - timedelta(hours=72), state=SignupState.QUIET)
        owed(session, 1)
        claims.claim(session, a_worker(session), limit=1, urgent=False, key="k1", now=NOON)
    monotonic = FakeMonotonic()
    monitoring = replace(service.context, lease_monitor=LeaseMonitor(monotonic))
    for _ in range(int(LEASE_DURATION / 5)):
        assert jobs.run(Queue.UPKEEP, monitoring) is False
        monotonic.now += 5
    assert statuses(service) == [DeliveryStatus.CLAIMED]
    jobs.run(Queue.UPKEEP, monitoring)
    assert statuses(service) == [DeliveryStatus.QUEUED]
    with service.site.database.reading() as session:
        assert session.scalar(select(func.count()).where(Issue.digest_id.is_not(None))) == 1
        assert session.get(Signup, signup.id) is None


@pytest.mark.parametrize("queue", Queue)
def test_a_queue_with_nothing_to_do_is_cheap(service, queue):
    with service.site.database.writing() as session:
        a_reader(session, a_newsletter(session))
    jobs.run(queue, service.context)
    statements = []
    database = service.context.database
    for engine in (
        database.engine,
        *([database._reader] if database.is_sqlite else []),
    ):  # PostgreSQL reads with the same engine
        event.listen(engine, "before_cursor_execute", lambda *options: statements.append(options[2]))
    assert jobs.run(queue, service.context) is False
    assert len([each for each in statements if each not in ("BEGIN", "BEGIN IMMEDIATE")]) <= max(
        7, 2 + len(jobs.JOBS[queue])
    )


def test_an_outbox_that_cannot_be_written_defers_letters_and_stops_no_queue(service):
    service.outbox.write_text("not a folder")
    add_signups(service, 1)
    for queue in Queue:
        assert jobs.run(queue, service.context) is False
    assert statuses(service) == [DeliveryStatus.QUEUED]
    service.outbox.unlink()
    service.clock.advance(minutes=2)
    service.run(Queue.URGENT)
    assert statuses(service) == [DeliveryStatus.SENT]


class Broken:
    """A fetcher, transport and templates with a bug whose error contains an address."""

    def fetch(self, *_: object, **__: object) -> None:
        raise LookupError(ADDRESS)

    def send(self, *_: object, **__: object) -> None:
        raise LookupError(ADDRESS)

    def get_template(self, name: str) -> None:
        raise LookupError(ADDRESS)


def test_a_digest_that_fails_stops_no_other_digest_and_no_other_job(service, caplog):
    with service.site.database.writing() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter, received_at=NOON - timedelta(hours=72), state=SignupState.QUIET)
        session.add(
            Digest(newsletter_id=newsletter.id, name="broken", rule={}, cron="nonsense", zone="UTC", starts_at=NOON)
        )
        digests.add(session, newsletter, name="daily", cron="0 12 * * *", zone="UTC", actor="tests", now=NOON)
    service.clock.advance(days=1)
    assert jobs.run(Queue.UPKEEP, service.context) is False
    with service.site.database.reading() as session:
        assert session.scalars(select(Signup)).all() == []
        assert len(session.scalars(select(Issue)).all()) == 1
    assert "digest 1 cannot be drafted" in caplog.text


def test_a_bug_in_the_transport_is_logged_without_an_address_and_leaves_nothing_claimed(service, caplog):
    add_signups(service, 1)
    broken = replace(
        service.context, dispatcher=replace(service.context.dispatcher, transport=Broken()), downloader=Broken()
    )
    for queue in Queue:
        assert jobs.run(queue, broken) is False
    assert statuses(service) == [DeliveryStatus.QUEUED]
    assert "send_confirmations failed: LookupError" in caplog.text
    assert "@example.org" not in caplog.text


def test_broken_templates_stop_no_letter_that_is_already_written(service):
    add_signups(service, 1)
    with service.site.database.writing() as session:
        owed(session, 1)
        session.execute(update(Delivery).values(priority=0))
    answering = replace(service.context.answering, templates=Broken())
    broken = replace(service.context, templates=Broken(), answering=answering)
    assert jobs.run(Queue.URGENT, broken) is False
    assert statuses(service) == [DeliveryStatus.SENT]


class UnreachableDatabase:
    """A database whose every transaction fails."""

    @contextmanager
    def writing(self):
        raise OperationalError("", {}, Exception(ADDRESS))
        yield

    reading = writing


@pytest.mark.parametrize("queue", Queue)
def test_while_the_database_is_away_each_job_logs_one_line(service, caplog, queue):
    away = UnreachableDatabase()
    dispatcher = replace(service.context.dispatcher, begin=away.writing)
    assert jobs.run(queue, replace(service.context, database=away, dispatcher=dispatcher)) is False
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert 1 <= len(caplog.records) <= max(4, len(jobs.JOBS[queue]))
    assert "Traceback" not in caplog.text
    assert "@" not in caplog.text


def test_letters_go_to_the_relay_in_the_settings_or_else_to_the_outbox(tmp_path: Path):
    unset, named = (
        Settings(data_dir=tmp_path),
        Settings(data_dir=tmp_path, smtp_url="smtp://a.example,smtp://b.example"),
    )
    assert isinstance(context.transport(unset), Outbox)
    assert context.urgent_transport(unset) is None, "the outbox delays no letter"
    for transport in (context.transport(named), context.urgent_transport(named)):
        assert isinstance(transport, SmtpTransport)
        transport.close()


def test_no_context_is_built_with_keys_that_do_not_fit_the_database(service):
    settings = service.site.settings
    with pytest.raises(Misconfigured):
        context.build(settings.model_copy(update={"secret_keys": (("k1", "t" * 40),)}))


def test_after_closing_no_thread_is_left(service):
    add_signups(service, 1)
    service.run(Queue.URGENT)
    service.context.close()
    assert not any(thread.name in ("heartbeat", "recording") for thread in threading.enumerate())


def test_a_restarted_service_goes_on_where_it_was(service):
    with service.site.database.writing() as session:
        owed(session, 2)
        approved = an_issue(session, a_newsletter(session), status=IssueStatus.APPROVED)
    service.context.close()
    second = context.build(service.site.settings, clock=service.clock)
    jobs.run(Queue.BULK, second)
    second.close()
    assert statuses(service) == [DeliveryStatus.SENT] * 2
    with service.site.database.reading() as session:
        assert session.get_one(Issue, approved.id).status is IssueStatus.SENT
        assert issues.content_hash(session, session.get_one(Issue, approved.id))
    assert [message_from_bytes(f.read_bytes(), policy=policy.default)["Subject"] for f in service.outbox.glob("new/*")]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Misconfigured("The keys are gone."), "the jobs of queue urgent cannot run: The keys are gone."),
        (
            OperationalError("", {}, Exception(ADDRESS)),
            "the jobs of queue urgent cannot run, the database is unavailable: OperationalError",
        ),
    ],
)
def test_a_context_that_cannot_be_built_is_tried_again_at_the_next_wake_up(service, error, line, caplog):
    errors = [error]

    def build() -> Context:
        if errors:
            raise errors.pop()
        return service.context

    add_signups(service, 1)
    assert jobs.handle_wakeup(Queue.URGENT, build) is False
    assert caplog.messages == [line]
    assert jobs.handle_wakeup(Queue.URGENT, build) is False
    assert statuses(service) == [DeliveryStatus.SENT]


@pytest.mark.parametrize("queue", Queue)
def test_once_the_process_has_to_end_no_job_begins(service, queue):
    add_signups(service, 1)
    broken = replace(
        service.context, dispatcher=replace(service.context.dispatcher, transport=Broken()), downloader=Broken()
    )
    broken.stop.set()
    before = service.rows()
    assert jobs.run(queue, broken) is False
    assert service.rows() == before


def test_once_the_process_has_to_end_sending_ends_with_the_current_letter(service):
    with service.site.database.writing() as session:
        owed(session, 3)
    monotonic = FakeMonotonic()
    transport = FakeTransport(lambda _: service.context.stop.set() or Outcome.TAKEN, monotonic=monotonic)
    ending = replace(
        service.context, dispatcher=replace(service.context.dispatcher, transport=transport, monotonic=monotonic)
    )
    assert jobs.run(Queue.BULK, ending) is False
    assert statuses(service) == [DeliveryStatus.SENT, DeliveryStatus.QUEUED, DeliveryStatus.QUEUED]


def test_a_job_that_met_another_transaction_is_done_again_at_once_and_reports_what_is_due(service):
    def job(_: Context) -> bool:
        with service.site.database.writing():
            pass  # what it commits is not done again, because a job looks at what is due
        if failures:
            raise failures.pop()
        return True

    failures = [OperationalError("", {}, psycopg.errors.DeadlockDetected()) for _ in range(2)]
    assert jobs.attempt(job, service.context)
    assert not failures
