"""A sign-up becomes a subscriber, a fact in the ledger and one letter that asks the inbox's owner."""

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
from newsletter.consent import suppressions
from newsletter.consent.ledger import Event, Evidence, LedgerEntry, TraceRow
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
from newsletter.mail.mailings import confirmations
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database
from tests.builders import KEYRING, a_newsletter, a_reader, a_signup, a_worker
from tests.clock import NOON
from tests.servers.databases import opened

TEMPLATES = templating.environment()
BASE = "https://letters.example.org"


def answer(begin, *, templates: Environment = TEMPLATES, now=NOON, most: int = 200) -> int:
    return confirmations.answer_due(
        begin, templates=templates, keyring=KEYRING, base_url=BASE, clock=lambda: now, most=most
    )


def states(begin) -> list[SignupState]:
    with begin() as session:
        return list(session.scalars(select(Signup.state).order_by(Signup.id)))


def count(begin, table) -> int:
    with begin() as session:
        return session.scalar(select(func.count()).select_from(table))


def confirmations_sent(begin) -> list[bytes]:
    """The letters that wait, as their readers would get them."""
    assembler = Assembler(Links(KEYRING, BASE), KEYRING)
    with begin() as session:
        mine = claims.claim(session, a_worker(session), limit=500, urgent=True, key="k1", now=NOON)
        return [
            b"".join(assembler.pack(each, session.get_one(Variant, each.variant), begin_by=0).body) for each in mine
        ]


def parsed(source: bytes) -> EmailMessage:
    return message_from_bytes(source, policy=policy.default)


def test_a_sign_up_becomes_a_subscriber_a_fact_and_a_letter(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        signup = a_signup(session, newsletter, "Ana@example.org", received_at=NOON - timedelta(seconds=3))
    assert answer(begin) == 1
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
    told = json.loads(evidence.body)
    assert told == {
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
    answer(begin, now=NOON + timedelta(days=1))
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
def test_whose_letter_failed_because_of_us_may_ask_once_more_that_day(begin, reply, outcome, then):
    with begin() as session:
        newsletter, other = a_newsletter(session), a_newsletter(session, "evening")
        a_signup(session, newsletter, "ana@example.org")
        a_signup(session, other, "ana@example.org")
    answer(begin)
    with begin() as session:
        carrier = a_worker(session)
        first, _ = claims.claim(session, carrier, limit=2, urgent=True, key="k1", now=NOON)
        results.record(session, carrier, [Result(first.delivery, first.attempt, outcome, reply, NOON)], now=NOON)
        assert session.get_one(Delivery, first.delivery).status is DeliveryStatus.FAILED
        a_signup(session, newsletter, "ana@example.org", received_at=NOON + timedelta(minutes=30))
        a_signup(session, other, "ana@example.org", received_at=NOON + timedelta(minutes=30))
    answer(begin, now=NOON + timedelta(hours=1))
    assert states(begin) == [SignupState.ASKED, SignupState.ASKED, then, SignupState.QUIET]


def test_who_was_ended_for_waiting_for_each_other_looks_again(begin):
    """PostgreSQL ends one of two workers that lock the same rows in turns, as often as it comes to that."""
    with begin() as session:
        a_signup(session, a_newsletter(session), "ana@example.org")
    collisions = [OperationalError("", {}, psycopg.errors.DeadlockDetected()) for _ in range(3)]

    @contextmanager
    def colliding():
        with begin() as session:
            yield session
            if collisions:
                raise collisions.pop()

    answer(colliding)
    assert states(begin) == [SignupState.ASKED]
    assert count(begin, Letter) == 1


def test_who_subscribes_already_gets_no_letter_and_is_asked_about_the_rest_only(begin):
    with begin() as session:
        have, want = a_newsletter(session), a_newsletter(session, "evening", name="Evening Post")
        a_reader(session, have, "ana@example.org")
        a_signup(session, have, "ana@example.org")
        a_signup(session, have, "ana@example.org", newsletters=[have.id, want.id])
    answer(begin)
    assert states(begin) == [SignupState.QUIET, SignupState.ASKED]
    (letter,) = confirmations_sent(begin)
    assert parsed(letter)["Subject"] == "Please confirm: Evening Post"
    with begin() as session:
        events = session.execute(select(LedgerEntry.newsletter_id, LedgerEntry.event).order_by(LedgerEntry.id)).all()
        confirms = session.scalars(select(Signup.newsletters).where(Signup.state == SignupState.ASKED)).one()
    assert events[2:] == [(want.id, Event.REQUESTED)]
    assert confirms == [want.id], "and that is what the link confirms"


def test_who_left_is_asked_again_and_who_said_never_is_not(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_reader(session, newsletter, "left@example.org", standing=Standing.LEFT)
        suppressions.add(session, KEYRING, "never@example.org", Reason.NEVER, now=NOON)
        for address in ("left@example.org", "never@example.org", "new@example.org"):
            a_signup(session, newsletter, address)
    answer(begin)
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


def test_nothing_that_the_visitor_could_have_written_stands_in_the_letter(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session), evidence=TYPED)
    answer(begin)
    (letter,) = confirmations_sent(begin)
    shown = str(parsed(letter)["Subject"]) + "".join(
        parsed(letter).get_body((kind,)).get_content() for kind in ("plain", "html")
    )
    for word in [word for value in TYPED.values() for word in value.split()] + ["pills", "evil", "Troll"]:
        if len(word) > 2:
            assert word not in shown, word


def test_the_letter_is_small_plain_and_says_what_it_is(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session, name="Näme " * 12, publisher="Püblisher " * 9))
    answer(begin)
    (source,) = confirmations_sent(begin)
    letter = parsed(source)
    assert len(source) <= 20_000
    assert [part.get_content_type() for part in letter.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    html = letter.get_body(("html",)).get_content()
    for forbidden in ("<img", "<script", "<link", "<iframe", "url(", "http://"):
        assert forbidden not in html
    assert "/confirm/" in letter.get_body(("plain",)).get_content()
    names = [name.lower() for name in letter.keys()]  # noqa: SIM118 - a message is no mapping
    owed = ["list-unsubscribe", "list-unsubscribe-post", "list-id", "auto-submitted", "feedback-id", "date", "to"]
    assert [names.count(name) for name in owed] == [1] * len(owed)
    assert max(len(line) for line in source.split(b"\r\n")) <= 998


def text(source: bytes) -> str:
    return parsed(source).get_body(("plain",)).get_content()


def test_each_letter_says_when_its_own_sign_up_came_in_the_newsletters_zone(begin):
    with begin() as session:
        berlin = a_newsletter(session, zone="Europe/Berlin")
        noronha = a_newsletter(session, "noon", zone="America/Noronha")
        a_signup(session, berlin, received_at=NOON - timedelta(seconds=61))
        a_signup(session, berlin)
        a_signup(session, noronha)
    answer(begin)
    first, second, third = map(text, confirmations_sent(begin))
    assert "On Saturday 14 March 2026 at 12:58:59 (UTC+1) somebody" in first
    assert "until Tuesday 17 March 2026 at 12:58 (UTC+1)." in first
    assert "On Saturday 14 March 2026 at 13:00:00 (UTC+1) somebody" in second
    assert "On Saturday 14 March 2026 at 10:00:00 (UTC−2) somebody" in third  # noqa: RUF001, a true minus


def test_what_was_shown_can_be_made_again_from_what_is_kept(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter)
    answer(begin)
    (sent,) = confirmations_sent(begin)
    with begin() as session:
        told = json.loads(session.scalars(select(Evidence.body)).one())
        variant = session.scalars(select(Variant).where(Variant.sha256 == told["letter"])).one()
        assert variant.is_intact()
        values = {name: told.get(name, "x@y.example") for name in variant.sheet.fields}
    again = b"".join(variant.sheet.fill(values))
    assert text(again).splitlines()[2] == text(sent).splitlines()[2]
    for time in ("requested_at", "expires_at"):
        assert told[time] in text(sent)


def test_a_letter_is_made_of_what_the_newsletter_and_its_words_are_at_that_moment(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter, "one@example.org")
        a_signup(session, newsletter, "two@example.org")
    answer(begin)
    with begin() as session:
        session.get_one(Newsletter, newsletter.id).publisher = "Example Press and Sons"
        a_signup(session, newsletter, "three@example.org")
    answer(begin)
    with begin() as session:
        digest = {"name": "daily", "cron": "0 12 * * *", "automatic": False}
        digests.add(session, session.get_one(Newsletter, newsletter.id), **digest, actor="tests", now=NOON)
        a_signup(session, newsletter, "four@example.org")
    answer(begin)
    with begin() as session:
        one, two, three, four = session.scalars(select(Variant.sha256).order_by(Variant.id))
    assert one == two
    assert len({one, three, four}) == 3
    *_, third, fourth = confirmations_sent(begin)
    assert "Example Press and Sons" in text(third)
    assert "At 12:00 every day (UTC)." in text(fourth)


def test_no_more_than_asked_for_are_answered_and_the_oldest_first(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for _ in range(5):
            a_signup(session, newsletter)
    assert answer(begin, most=2) == 2
    assert states(begin) == [SignupState.ASKED] * 2 + [SignupState.RECEIVED] * 3
    assert answer(begin, most=200) == 3
    assert answer(begin) == 0


def test_a_sign_up_that_cannot_be_answered_is_set_aside_and_holds_up_nobody(begin, caplog):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter, "poison@example.org", newsletters="nonsense")
        a_signup(session, newsletter, "next@example.org")
    answer(begin)
    assert states(begin) == [SignupState.FAILED, SignupState.ASKED]
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    assert "a sign-up cannot be answered" in caplog.text
    assert caplog.records[0].signup == 1
    assert "@" not in caplog.text
    assert answer(begin) == 0


class Loader(BaseLoader):
    """Templates that are missing as often as it is told."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def get_source(self, environment, template):
        if self.failures:
            self.failures -= 1
            raise TemplateNotFound(template)
        return TEMPLATES.loader.get_source(environment, template)


def test_one_failure_can_happen_to_any_sign_up(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session))
    answer(begin, templates=TEMPLATES.overlay(cache_size=0, loader=Loader(1)))
    assert states(begin) == [SignupState.ASKED]
    assert count(begin, Letter) == count(begin, LedgerEntry) == 1, "and leaves nothing behind"


def test_a_database_that_goes_away_is_not_held_against_the_sign_up(begin):
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
        answer(shaky)
    assert states(begin) == [SignupState.RECEIVED]
    assert count(begin, Letter) == count(begin, LedgerEntry) == 0
    answer(begin)
    assert states(begin) == [SignupState.ASKED]


def test_a_late_clock_answers_nothing_that_was_not_received_yet(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session), received_at=NOON + timedelta(seconds=1))
    assert answer(begin, now=NOON) == 0


@pytest.fixture
def postgresql(postgresql_url):
    with closing(opened(postgresql_url)) as database:
        yield database


def at_once(postgresql: Database, workers: int) -> int:
    start = threading.Barrier(workers)

    def work(_: int) -> int:
        start.wait(5)
        return answer(postgresql.writing)

    with ThreadPoolExecutor(workers) as crowd:
        return sum(crowd.map(work, range(workers)))


def test_workers_side_by_side_answer_each_sign_up_once(postgresql):
    with postgresql.writing() as session:
        newsletter = a_newsletter(session)
        for _ in range(50):
            a_signup(session, newsletter)
    assert at_once(postgresql, 3) == 50
    assert states(postgresql.writing) == [SignupState.ASKED] * 50
    letters = confirmations_sent(postgresql.writing)
    assert len({parsed(letter)["To"] for letter in letters}) == len(letters) == 50
    with postgresql.reading() as session:
        assert examination.examine(session) == []


def test_workers_who_meet_the_same_inbox_at_once_write_one_letter_about_each_newsletter(postgresql):
    with postgresql.writing() as session:
        newsletters = [a_newsletter(session, slug) for slug in ("one", "two", "three")]
        for number in range(30):
            spelling = ["ana@example.org", "ANA@example.org", "ana+x@example.org"][number // 3 % 3]
            a_signup(session, newsletters[number % 3], spelling)
    at_once(postgresql, 3)
    assert sorted(states(postgresql.writing)) == [SignupState.ASKED] * 3 + [SignupState.QUIET] * 27
    assert len(confirmations_sent(postgresql.writing)) == 3
    with postgresql.reading() as session:
        assert examination.examine(session) == []


def test_a_sign_up_in_another_workers_hands_is_not_waited_for(postgresql):
    with postgresql.writing() as session:
        newsletter = a_newsletter(session)
        first = a_signup(session, newsletter)
        a_signup(session, newsletter)
    with postgresql.writing() as elsewhere:
        elsewhere.execute(update(Signup).where(Signup.id == first.id).values(nonce=1))
        assert answer(postgresql.writing) == 1
    assert states(postgresql.writing) == [SignupState.RECEIVED, SignupState.ASKED]
