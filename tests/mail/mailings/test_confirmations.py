"""A sign-up becomes a subscriber, a ledger entry and one confirmation letter."""

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import psycopg
import pytest
from jinja2 import BaseLoader, Environment, TemplateNotFound
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from newsletter import templating
from newsletter.consent import signup_queue, suppressions
from newsletter.consent.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.limits.pressure import Limits
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.suppressions import Reason
from newsletter.content.digests import digests
from newsletter.doctor import examination
from newsletter.links import Links
from newsletter.mail.delivery import claims, results
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.letters.letters import Letter, LetterKind, Priority, Variant
from newsletter.mail.mailings.confirmations import processing
from newsletter.mail.mailings.confirmations.answering import Answering
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database
from tests.builders import KEYRING, a_newsletter, a_reader, a_signup, a_worker
from tests.clock import NOON
from tests.servers.databases import opened

TEMPLATES = templating.environment()
BASE = "https://letters.example.org"
PLENTY = Limits(1000, 1000, 1000, 1000)


def process(begin, *, templates: Environment = TEMPLATES, now=NOON, limit: int = 200) -> int:
    def claim(session):
        return signup_queue.claim(session, limit=limit, after="", now=now)

    answering = Answering(templates=templates, keyring=KEYRING, base_url=BASE, limits=PLENTY)
    return len(processing.process(begin, claim, answering, clock=lambda: now))


def states(begin) -> list[SignupState]:
    with begin() as session:
        return list(session.scalars(select(Signup.state).order_by(Signup.id)))


def count(begin, table) -> int:
    with begin() as session:
        return session.scalar(select(func.count()).select_from(table))


def confirmations_sent(begin) -> list[bytes]:
    """Claim the queued letters and return them as their readers would get them."""
    assembler = Assembler(Links(KEYRING, BASE), KEYRING)
    with begin() as session:
        claimed = claims.claim(session, a_worker(session), limit=500, urgent=True, key="k1", now=NOON)
        return [
            b"".join(assembler.assemble(each, session.get_one(Variant, each.variant), begin_by=0).body)
            for each in claimed
        ]


def parsed(source: bytes) -> EmailMessage:
    return message_from_bytes(source, policy=policy.default)


def test_a_sign_up_becomes_a_subscriber_a_ledger_entry_and_a_letter(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        signup = a_signup(session, newsletter, "Ana@example.org", received_at=NOON - timedelta(seconds=3))
    assert process(begin) == 1
    with begin() as session:
        reader = session.scalars(select(Subscriber)).one()
        entry = session.scalars(select(LedgerEntry)).one()
        evidence = session.get_one(Evidence, entry.id)
        letter = session.scalars(select(Letter)).one()
        variant = session.scalars(select(Variant)).one()
        delivery = session.scalars(select(Delivery)).one()
        trace = session.get_one(TraceRow, entry.id)
        standing = session.get_one(Subscription, (reader.id, newsletter.id)).standing
    assert (reader.address, standing) == ("Ana@example.org", Standing.ASKED)
    assert (entry.event, entry.at, entry.subject) == (Event.REQUESTED, NOON - timedelta(seconds=3), reader.subject)
    assert json.loads(evidence.body) == {
        "address": "Ana@example.org",
        "form": signup.form,
        "letter": variant.sha256,
        "requested_at": "Saturday 14 March 2026 at 11:59:57 (UTC)",
        "expires_at": "Tuesday 17 March 2026 at 11:59 (UTC)",
    }
    assert (trace.ip, trace.user_agent) == ("192.0.2.1", "Test/1.0")
    assert (letter.kind, letter.audience, letter.priority) == (LetterKind.CONFIRMATION, 1, Priority.URGENT)
    assert (delivery.subscriber_id, delivery.status, delivery.due_at) == (reader.id, DeliveryStatus.QUEUED, NOON)
    assert states(begin) == [SignupState.ASKED]


@pytest.mark.parametrize("again", ["ana@example.org", "ANA@example.org", "ana+news@example.org", "ana@EXAMPLE.org"])
def test_an_inbox_is_asked_once_a_day_about_a_newsletter(begin, again):
    with begin() as session:
        newsletter, other = a_newsletter(session), a_newsletter(session, "evening")
        a_signup(session, newsletter, "ana@example.org")
        a_signup(session, newsletter, again, received_at=NOON + timedelta(hours=1))
        a_signup(session, newsletter, "bob@example.org")
        a_signup(session, other, again, received_at=NOON + timedelta(hours=2))
        a_signup(session, newsletter, again, received_at=NOON + timedelta(days=1))
    process(begin, now=NOON + timedelta(days=1))
    assert states(begin) == [
        SignupState.ASKED,
        SignupState.QUIET,
        SignupState.ASKED,
        SignupState.ASKED,
        SignupState.ASKED,
    ]
    assert count(begin, Letter) == 4


@pytest.mark.parametrize(
    ("reply", "outcome", "then"),
    [
        (Reply(530, "5.7.0", "Authentication required"), Outcome.LATER, SignupState.ASKED),
        (Reply(550, "5.1.1", "No such user"), Outcome.REFUSED, SignupState.QUIET),
    ],
)
def test_a_person_may_ask_again_that_day_after_a_failure_that_is_not_theirs(begin, reply, outcome, then):
    with begin() as session:
        newsletter, other = a_newsletter(session), a_newsletter(session, "evening")
        a_signup(session, newsletter, "ana@example.org")
        a_signup(session, other, "ana@example.org")
    process(begin)
    with begin() as session:
        worker = a_worker(session)
        first, _ = claims.claim(session, worker, limit=2, urgent=True, key="k1", now=NOON)
        results.record(session, worker, [Result(first.delivery, first.attempt, outcome, reply, NOON)], now=NOON)
        assert session.get_one(Delivery, first.delivery).status is DeliveryStatus.FAILED
        a_signup(session, newsletter, "ana@example.org", received_at=NOON + timedelta(minutes=30))
        a_signup(session, other, "ana@example.org", received_at=NOON + timedelta(minutes=30))
    process(begin, now=NOON + timedelta(hours=1))
    assert states(begin) == [SignupState.ASKED, SignupState.ASKED, then, SignupState.QUIET]


def test_a_worker_retries_after_a_deadlock(begin):
    """PostgreSQL aborts one of two transactions that wait for each other."""
    with begin() as session:
        a_signup(session, a_newsletter(session), "ana@example.org")
    deadlocks = [OperationalError("", {}, psycopg.errors.DeadlockDetected()) for _ in range(3)]

    @contextmanager
    def deadlocking():
        with begin() as session:
            yield session
            if deadlocks:
                raise deadlocks.pop()

    process(deadlocking)
    assert states(begin) == [SignupState.ASKED]
    assert count(begin, Letter) == 1


def test_a_reader_is_asked_only_about_newsletters_not_yet_subscribed_to(begin):
    with begin() as session:
        subscribed, wanted = a_newsletter(session), a_newsletter(session, "evening", name="Evening Post")
        a_reader(session, subscribed, "ana@example.org")
        a_signup(session, subscribed, "ana@example.org")
        a_signup(session, subscribed, "ana@example.org", newsletters=[subscribed.id, wanted.id])
    process(begin)
    assert states(begin) == [SignupState.QUIET, SignupState.ASKED]
    (letter,) = confirmations_sent(begin)
    assert parsed(letter)["Subject"] == "Please confirm: Evening Post"
    with begin() as session:
        events = session.execute(select(LedgerEntry.newsletter_id, LedgerEntry.event).order_by(LedgerEntry.id)).all()
        confirms = session.scalars(select(Signup.newsletters).where(Signup.state == SignupState.ASKED)).one()
    assert events[2:] == [(wanted.id, Event.REQUESTED)]
    assert confirms == [wanted.id], "the link confirms only this newsletter"


def test_a_reader_who_left_is_asked_again_unless_they_said_never(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_reader(session, newsletter, "left@example.org", standing=Standing.LEFT)
        suppressions.add(session, KEYRING, "never@example.org", Reason.NEVER, now=NOON)
        for address in ("left@example.org", "never@example.org", "new@example.org"):
            a_signup(session, newsletter, address)
    process(begin)
    assert states(begin) == [SignupState.ASKED, SignupState.QUIET, SignupState.ASKED]
    assert [parsed(letter)["To"] for letter in confirmations_sent(begin)] == ["left@example.org", "new@example.org"]
    with begin() as session:
        assert session.scalar(select(Subscriber).where(Subscriber.address_key == "never@example.org")) is None


TYPED = {
    "name": "Buy-cheap-pills at https://pills.example",
    "referrer": "https://evil.example/?click=here",
    "user_agent": "Evil/6.6",
    "ip": "203.0.113.66",
    "message": "Greetings-from-a-stranger",
    "language": "x-stranger",
    "timezone": "Antarctica/Troll",
}


def test_the_letter_holds_nothing_that_the_visitor_typed(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session), evidence=TYPED)
    process(begin)
    (letter,) = confirmations_sent(begin)
    shown = str(parsed(letter)["Subject"]) + "".join(
        parsed(letter).get_body((kind,)).get_content() for kind in ("plain", "html")
    )
    for word in [word for value in TYPED.values() for word in value.split()] + ["pills", "evil", "Troll"]:
        if len(word) > 2:
            assert word not in shown, word


def test_the_letter_is_small_without_remote_content_and_has_the_bulk_headers(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session, name="Näme " * 12, publisher="Püblisher " * 9))
    process(begin)
    (source,) = confirmations_sent(begin)
    letter = parsed(source)
    assert len(source) <= 20_000
    assert [part.get_content_type() for part in letter.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    html = letter.get_body(("html",)).get_content()
    for forbidden in ("<img", "<script", "<link", "<iframe", "url(", "http://"):
        assert forbidden not in html
    assert "/confirm/" in letter.get_body(("plain",)).get_content()
    names = [name.lower() for name in letter.keys()]  # noqa: SIM118 - a message is no mapping
    required = ["list-unsubscribe", "list-unsubscribe-post", "list-id", "auto-submitted", "feedback-id", "date", "to"]
    assert [names.count(name) for name in required] == [1] * len(required)
    assert max(len(line) for line in source.split(b"\r\n")) <= 998


def text(source: bytes) -> str:
    return parsed(source).get_body(("plain",)).get_content()


def test_each_letter_gives_the_time_of_its_sign_up_in_the_newsletters_zone(begin):
    with begin() as session:
        berlin = a_newsletter(session, zone="Europe/Berlin")
        noronha = a_newsletter(session, "noon", zone="America/Noronha")
        a_signup(session, berlin, received_at=NOON - timedelta(seconds=61))
        a_signup(session, berlin)
        a_signup(session, noronha)
    process(begin)
    first, second, third = map(text, confirmations_sent(begin))
    assert "On Saturday 14 March 2026 at 12:58:59 (UTC+1) somebody" in first
    assert "until Tuesday 17 March 2026 at 12:58 (UTC+1)." in first
    assert "On Saturday 14 March 2026 at 13:00:00 (UTC+1) somebody" in second
    assert "On Saturday 14 March 2026 at 10:00:00 (UTC−2) somebody" in third  # noqa: RUF001, a true minus


def test_the_text_of_a_sent_letter_can_be_made_again_from_the_evidence(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter)
    process(begin)
    (sent,) = confirmations_sent(begin)
    with begin() as session:
        stored = json.loads(session.scalars(select(Evidence.body)).one())
        variant = session.scalars(select(Variant).where(Variant.sha256 == stored["letter"])).one()
        assert variant.is_intact()
        values = {name: stored.get(name, "x@y.example") for name in variant.sheet.fields}
    again = b"".join(variant.sheet.fill(values))
    assert text(again).splitlines()[2] == text(sent).splitlines()[2]
    for time in ("requested_at", "expires_at"):
        assert stored[time] in text(sent)


def test_a_letter_uses_the_current_data_of_the_newsletter(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter, "one@example.org")
        a_signup(session, newsletter, "two@example.org")
    process(begin)
    with begin() as session:
        session.get_one(Newsletter, newsletter.id).publisher = "Example Press and Sons"
        a_signup(session, newsletter, "three@example.org")
    process(begin)
    with begin() as session:
        digest = {"name": "daily", "cron": "0 12 * * *", "automatic": False}
        digests.add(session, session.get_one(Newsletter, newsletter.id), **digest, actor="tests", now=NOON)
        a_signup(session, newsletter, "four@example.org")
    process(begin)
    with begin() as session:
        one, two, three, four = session.scalars(select(Variant.sha256).order_by(Variant.id))
    assert one == two
    assert len({one, three, four}) == 3
    *_, third, fourth = confirmations_sent(begin)
    assert "Example Press and Sons" in text(third)
    assert "At 12:00 every day (UTC)." in text(fourth)


def test_at_most_the_limit_is_processed_oldest_first(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for _ in range(5):
            a_signup(session, newsletter)
    assert process(begin, limit=2) == 2
    assert states(begin) == [SignupState.ASKED] * 2 + [SignupState.RECEIVED] * 3
    assert process(begin, limit=200) == 3
    assert process(begin) == 0


def test_a_sign_up_that_fails_twice_is_marked_failed_and_blocks_no_other(begin, caplog):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter, "poison@example.org", newsletters="nonsense")
        a_signup(session, newsletter, "next@example.org")
    process(begin)
    assert states(begin) == [SignupState.FAILED, SignupState.ASKED]
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    assert "a sign-up cannot be processed" in caplog.text
    assert caplog.records[0].signup == 1
    assert "@" not in caplog.text
    assert process(begin) == 0


class FailingLoader(BaseLoader):
    """Fails the given number of times to find a template."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def get_source(self, environment, template):
        if self.failures:
            self.failures -= 1
            raise TemplateNotFound(template)
        return TEMPLATES.loader.get_source(environment, template)


def test_a_sign_up_that_fails_once_is_retried(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session))
    process(begin, templates=TEMPLATES.overlay(cache_size=0, loader=FailingLoader(1)))
    assert states(begin) == [SignupState.ASKED]
    assert count(begin, Letter) == count(begin, LedgerEntry) == 1, "the failed attempt leaves nothing behind"


def test_an_unavailable_database_does_not_fail_the_sign_up(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter)

    failures = [OperationalError("", {}, Exception("away"))] * 2

    @contextmanager
    def shaky():
        with begin() as session:
            yield session
            if failures:
                raise failures.pop()

    with pytest.raises(OperationalError):
        process(shaky)
    assert states(begin) == [SignupState.RECEIVED]
    assert count(begin, Letter) == count(begin, LedgerEntry) == 0
    process(begin)
    assert states(begin) == [SignupState.ASKED]


def test_a_slow_clock_leaves_later_sign_ups_for_later(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session), received_at=NOON + timedelta(seconds=1))
    assert process(begin, now=NOON) == 0


@pytest.fixture
def postgresql(postgresql_url):
    with closing(opened(postgresql_url)) as database:
        yield database


def process_concurrently(postgresql: Database, workers: int) -> int:
    start = threading.Barrier(workers)

    def work(_: int) -> int:
        start.wait(5)
        return process(postgresql.writing)

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(work, range(workers)))


def test_concurrent_workers_process_each_sign_up_once(postgresql):
    with postgresql.writing() as session:
        newsletter = a_newsletter(session)
        for _ in range(50):
            a_signup(session, newsletter)
    assert process_concurrently(postgresql, 3) == 50
    assert states(postgresql.writing) == [SignupState.ASKED] * 50
    letters = confirmations_sent(postgresql.writing)
    assert len({parsed(letter)["To"] for letter in letters}) == len(letters) == 50
    with postgresql.reading() as session:
        assert examination.examine(session) == []


def test_concurrent_workers_write_one_letter_per_inbox_and_newsletter(postgresql):
    with postgresql.writing() as session:
        newsletters = [a_newsletter(session, slug) for slug in ("one", "two", "three")]
        for number in range(30):
            spelling = ["ana@example.org", "ANA@example.org", "ana+x@example.org"][number // 3 % 3]
            a_signup(session, newsletters[number % 3], spelling)
    process_concurrently(postgresql, 3)
    assert sorted(states(postgresql.writing)) == [SignupState.ASKED] * 3 + [SignupState.QUIET] * 27
    assert len(confirmations_sent(postgresql.writing)) == 3
    with postgresql.reading() as session:
        assert examination.examine(session) == []


def test_a_sign_up_locked_by_another_worker_is_skipped(postgresql):
    with postgresql.writing() as session:
        newsletter = a_newsletter(session)
        first = a_signup(session, newsletter)
        a_signup(session, newsletter)
    with postgresql.writing() as elsewhere:
        elsewhere.execute(update(Signup).where(Signup.id == first.id).values(nonce=1))
        assert process(postgresql.writing) == 1
    assert states(postgresql.writing) == [SignupState.RECEIVED, SignupState.ASKED]
