"""A sign-up becomes a subscriber, a ledger entry and one confirmation letter."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.consent.decisions import decisions
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.limits import inboxes
from newsletter.consent.limits.pressure import LetterLimits
from newsletter.consent.limits.tickets import Ticket
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.content.digests import digests
from newsletter.mail.delivery import claims, results
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.letters.letters import Letter, LetterKind, Priority, Variant
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.newsletters import Newsletter
from tests.builders import KEYRING, a_newsletter, a_reader, a_signup, a_worker
from tests.clock import NOON
from tests.confirming import confirmations_sent, count, parsed, process, states


def test_a_sign_up_becomes_a_subscriber_a_ledger_entry_and_a_letter(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        signup = a_signup(session, newsletter, "Ana@example.org", received_at=NOON - timedelta(seconds=3))
    assert process(begin) == 1
    with begin() as session:
        reader = session.scalars(select(Subscriber)).one()
        entry = session.scalars(select(LedgerEntry)).one()
        evidence = session.get_one(Evidence, entry.id)
        letter = session.scalars(select(Letter).where(Letter.signup_id == signup.id)).one()
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
        "expires_at": "Tuesday 17 March 2026 at 12:00 (UTC)",
    }
    assert (trace.ip, trace.user_agent) == ("192.0.2.1", "Test/1.0")
    assert (letter.kind, letter.audience, letter.priority) == (LetterKind.CONFIRMATION, 1, Priority.URGENT)
    assert (delivery.subscriber_id, delivery.status, delivery.due_at) == (reader.id, DeliveryStatus.QUEUED, NOON)
    assert delivery.variant_id == variant.id
    with begin() as session:
        asked = session.scalars(select(Signup)).one()
        ticket = session.scalars(select(Ticket)).one()
    assert (asked.state, asked.asked_at, asked.forget_at) == (SignupState.ASKED, NOON, NOON + LINK_LIFETIME)
    assert asked.fold_key == reader.fold_key == ticket.fold_key == inboxes.fold(KEYRING, "ana@example.org")
    assert ticket.occasion == letter.occasion == f"signup:{signup.id}"


def later(begin, newsletter, address: str, *, minutes: float, **columns) -> SignupState:
    """Sign this address up so long after noon, and return what became of it."""
    at = NOON + timedelta(minutes=minutes)
    with begin() as session:
        number = a_signup(session, newsletter, address, received_at=at, **columns).id
    process(begin, now=at)
    with begin() as session:
        return session.get_one(Signup, number).state


@pytest.mark.parametrize("again", ["ana@example.org", "ANA@example.org", "ana@EXAMPLE.org"])
def test_an_address_has_one_unanswered_letter_about_a_newsletter_for_ten_minutes(begin, again):
    with begin() as session:
        newsletter, other = a_newsletter(session), a_newsletter(session, "evening")
    assert later(begin, newsletter, "ana@example.org", minutes=0) is SignupState.ASKED
    assert later(begin, newsletter, again, minutes=9.9) is SignupState.QUIET
    assert later(begin, other, again, minutes=9.9) is SignupState.ASKED
    assert later(begin, newsletter, "bob@example.org", minutes=9.9) is SignupState.ASKED
    assert later(begin, newsletter, again, minutes=10) is SignupState.ASKED, "the first letter may be lost"


@pytest.mark.parametrize(
    ("posted", "state"), [(0, SignupState.QUIET), (69, SignupState.QUIET), (70, SignupState.ASKED)]
)
def test_who_posted_the_form_before_the_letter_came_did_not_ask_again(begin, posted, state):
    with begin() as session:
        newsletter = a_newsletter(session)
    assert later(begin, newsletter, "ana@example.org", minutes=60) is SignupState.ASKED
    at = NOON + timedelta(minutes=posted)
    with begin() as session:
        waited = a_signup(session, newsletter, "ana@example.org", received_at=at).id
    process(begin, now=NOON + timedelta(minutes=90))
    with begin() as session:
        assert session.get_one(Signup, waited).state is state


def test_a_sign_up_that_the_release_before_answered_counts_from_its_form(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter, "ana@example.org", standing=Standing.ASKED)
        a_signup(session, newsletter, reader.address, state=SignupState.ASKED)
    assert later(begin, newsletter, "ana@example.org", minutes=9) is SignupState.QUIET
    assert later(begin, newsletter, "ana@example.org", minutes=10) is SignupState.ASKED


def answered_with(begin, answer: str) -> None:
    """Let the owner of the inbox answer the letter five minutes after noon."""
    now = NOON + timedelta(minutes=5)
    with begin() as session:
        signup = session.scalars(select(Signup)).one()
        reader = session.scalars(select(Subscriber)).one()
        if answer == "confirmed and left":
            signup.state = SignupState.CONFIRMED
        decisions.withdraw(session, reader, newsletters=signup.newsletters, how="page", trace=None, now=now)


@pytest.mark.parametrize("answer", ["confirmed and left", "left"])
def test_a_person_who_answered_may_come_back_at_once(begin, answer):
    with begin() as session:
        newsletter = a_newsletter(session)
    assert later(begin, newsletter, "ana@example.org", minutes=0) is SignupState.ASKED
    answered_with(begin, answer)
    assert later(begin, newsletter, "ana@example.org", minutes=6) is SignupState.ASKED
    assert later(begin, newsletter, "ana@example.org", minutes=7) is SignupState.QUIET, "this letter has no answer yet"


def test_an_inbox_gets_three_letters_a_day_and_one_of_them_only_by_its_own_name(begin):
    with begin() as session:
        newsletters = [a_newsletter(session, f"letter{number}") for number in range(4)]
    tagged = [later(begin, each, f"a.na+{each.id}@gmail.com", minutes=0) for each in newsletters]
    assert tagged == [SignupState.ASKED] * 2 + [SignupState.QUIET] * 2
    assert later(begin, newsletters[0], "ana@googlemail.com", minutes=1) is SignupState.ASKED
    assert later(begin, newsletters[1], "ana@gmail.com", minutes=1) is SignupState.QUIET
    assert later(begin, newsletters[1], "ana@gmail.com", minutes=24 * 60) is SignupState.ASKED, "a day is over"


def test_a_letter_over_a_limit_of_networks_or_domains_waits_in_the_slow_lane(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for address in ("ana@town.example", "bob@town.example"):
            a_signup(session, newsletter, address)
    process(begin, limits=LetterLimits(10, 10, 1, 10))
    assert states(begin) == [SignupState.ASKED, SignupState.QUIET]
    with begin() as session:
        waiting = session.get_one(Signup, 2)
        assert (waiting.slow_lane_at, waiting.asked_at) == (NOON, None)
        assert waiting.forget_at == NOON + timedelta(hours=24)
    for table in (Ticket, Subscriber, Delivery, LedgerEntry):
        assert count(begin, table) == 1, "nothing else is written about who waits"


def test_an_operator_allows_one_letter_to_somebody_who_said_never(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        suppressions.add(session, KEYRING, "ana@example.org", Reason.NEVER, now=NOON)
        suppressions.allow_letter(session, KEYRING, "ana@example.org", now=NOON)
    assert later(begin, newsletter, "ana@example.org", minutes=1) is SignupState.ASKED
    with begin() as session:
        assert session.scalars(select(Signup.lifts_suppression)).one() is True
        assert session.scalars(select(Subscriber.suppressed)).one() == Reason.NEVER, "only the letter's button lifts it"
    assert later(begin, newsletter, "ana@example.org", minutes=20) is SignupState.QUIET


@pytest.mark.parametrize(
    ("reply", "outcome", "then"),
    [
        (Reply(530, "5.7.0", "Authentication required"), Outcome.LATER, SignupState.ASKED),
        (Reply(550, "5.1.1", "No such user"), Outcome.REFUSED, SignupState.QUIET),
    ],
)
def test_a_letter_that_was_never_sent_costs_none_of_the_three(begin, reply, outcome, then):
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
    assert states(begin) == [SignupState.ASKED] * 3 + [then], "a letter that was never sent costs none of the three"


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
    assert "until Tuesday 17 March 2026 at 13:00 (UTC+1)." in first
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
        stored = session.execute(
            select(Variant.sha256, Exhibit.sha256).outerjoin(Exhibit, Exhibit.sha256 == Variant.sha256)
        )
        assert len(stored.all()) == 3, "each text is stored once, as a variant and as an exhibit"
    *_, third, fourth = confirmations_sent(begin)
    assert "Example Press and Sons" in text(third)
    assert "Every day at 12:00 (UTC)." in text(fourth)
