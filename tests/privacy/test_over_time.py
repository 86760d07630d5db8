"""Whatever people do and however time passes, retention keeps its promises and every sum holds."""

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import SLOW_LANE_LIFETIME, Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.doctor import counts, examination
from newsletter.links import Purpose
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.letters.letters import Letter, LetterKind, Variant
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

NAMES = ("ana", "Ana", "ana+news", "eve")
SLUGS = ("morning", "evening")
EXAMPLES = count(1)
HOURS = (0.3, 5, 11, 24, 71, 73, 24 * 29, 24 * 31)


class Lives(RuleBasedStateMachine):
    """People who sign up, answer and leave at one service, in any order and at any pace."""

    def __init__(self, service: WholeService) -> None:
        super().__init__()
        self.service = service
        self.domain = f"example{next(EXAMPLES)}.org"  # the people of each example are others
        self.letters = 0

    @rule(name=st.sampled_from(NAMES), slug=st.sampled_from(SLUGS))
    def sign_up(self, name: str, slug: str) -> None:
        assert self.service.sign_up(f"{name}@{self.domain}", slug).status_code == 202

    @rule()
    def answer_and_send(self) -> None:
        self.service.run(Queue.URGENT)

    @rule()
    def answer_without_sending(self) -> None:
        """Answer, and put the letters off, as a relay would that greylists them."""
        self.service.run(Queue.URGENT)
        with self.service.site.database.writing() as session:
            later = {"status": "queued", "decided_at": None, "due_at": self.service.clock() + timedelta(days=10)}
            last = select(Delivery.id).order_by(Delivery.id.desc()).limit(1)
            session.execute(update(Delivery).where(Delivery.id.in_(last)).values(later))

    @rule(
        purpose=st.sampled_from([Purpose.CONFIRM, Purpose.CONFIRM, Purpose.NEVER, Purpose.UNSUBSCRIBE]),
        back=st.integers(0, 3),
    )
    def follow_a_link(self, purpose: Purpose, back: int) -> None:
        with self.service.site.database.reading() as session:
            mine = select(Signup).where(Signup.address_key.endswith(f"@{self.domain}")).order_by(Signup.id.desc())
            if (signup := session.scalars(mine.offset(back).limit(1)).first()) is None:
                return
            ids = signup.id, signup.nonce
            if purpose is Purpose.UNSUBSCRIBE:
                reader = select(Subscriber.id).where(Subscriber.address_key == signup.address_key)
                ids = session.scalar(reader) or 0, signup.newsletters[0]
        link = self.service.site.links.url(purpose, *ids)
        data = {"confirm": "yes", "never": "yes", "List-Unsubscribe": "One-Click"}
        assert self.service.browser.post(link, data=data).status_code in (200, 404, 410)

    @rule()
    def move_to_the_slow_lane(self) -> None:
        """Let the received sign-ups wait, as pressure does."""
        with self.service.site.database.writing() as session:
            received = select(Signup.id, Signup.received_at).where(Signup.state == SignupState.RECEIVED)
            for number, received_at in session.execute(received).all():
                waits = {"state": SignupState.QUIET, "slow_lane_at": self.service.clock()}
                waits["forget_at"] = received_at + SLOW_LANE_LIFETIME
                session.execute(update(Signup).where(Signup.id == number).values(waits))

    @rule()
    def give_a_letter_its_own_text(self) -> None:
        """Store the last letter as the release before does, which runs beside."""
        with self.service.site.database.writing() as session:
            newest = select(Delivery, Variant).join(Variant, Variant.id == Delivery.variant_id)
            found = session.execute(newest.order_by(Delivery.id.desc()).limit(1)).first()
            if found and found.Variant.letter_id != found.Delivery.letter_id:
                columns = ("language", "sha256", "body", "cuts")
                copy = {column: getattr(found.Variant, column) for column in columns}
                letter = found.Delivery.letter_id
                own = insert(Variant).values(letter_id=letter, design="standard", **copy).returning(Variant.id)
                found.Delivery.variant_id = session.scalar(own)

    @rule(hours=st.sampled_from(HOURS))
    def time_passes(self, hours: float) -> None:
        self.service.clock.advance(hours=hours)
        self.service.run(Queue.UPKEEP)
        self.service.run(Queue.UPKEEP)  # a sign-up whose reader had an open request is examined once more
        self.examine()

    def examine(self) -> None:
        with self.service.site.database.reading() as session:
            assert examination.examine(session, keyring=self.service.site.keyring) == []
            self.compare_letters(session)
            self.compare_people(session)
            traces = session.scalars(select(TraceRow.expires_at)).all()
        assert all(expires_at > self.service.clock() for expires_at in traces)

    def compare_letters(self, session: Session) -> None:
        """No letter that was ever owed is missing from the sums; only those of sign-ups have rows."""
        states = counts.count(session, now=self.service.clock()).letters.states
        owed = sum(number for (kind, _), number in states.items() if kind is LetterKind.CONFIRMATION)
        assert owed >= self.letters
        self.letters = owed
        without_signup = select(Letter.occasion).where(Letter.signup_id.is_(None), Letter.audience > 0)
        assert set(session.scalars(without_signup)) <= {"total:confirmation"}

    def compare_people(self, session: Session) -> None:
        """Nobody is known, and no evidence is kept, without a confirmation or a sign-up whose time is not over."""
        now = self.service.clock()
        asked: set[tuple[str, int]] = set()
        for signup in session.scalars(select(Signup)):
            age = now - (signup.asked_at or signup.received_at)
            if signup.state != SignupState.CONFIRMED:
                assert age < (SLOW_LANE_LIFETIME if signup.slow_lane_at else LINK_LIFETIME)
            if signup.state in (SignupState.ASKED, SignupState.REFUSED, SignupState.CONFIRMED):
                asked |= {(signup.address_key, number) for number in signup.newsletters}
        evidence = set(session.scalars(select(Evidence.entry_id)))
        known = {person.subject: person for person in session.scalars(select(Subscriber))}
        for subject in session.scalars(select(LedgerEntry.subject).distinct()):
            entries = ledger.history(session, subject)
            confirmed = {each.newsletter_id for each in entries if each.event == Event.CONFIRMED}
            if (person := known.get(subject)) is None:
                assert not confirmed
                assert evidence.isdisjoint(each.id for each in entries if each.event != Event.LAPSED)
                continue
            assert confirmed or any(address == person.address_key for address, _ in asked)
            for each in entries:
                later = [one for one in entries if one.ordinal > each.ordinal]
                is_answered = any(
                    one.event == Event.CONFIRMED for one in later if one.newsletter_id == each.newsletter_id
                )
                if each.event == Event.REQUESTED and each.id in evidence and not is_answered:
                    assert (person.address_key, each.newsletter_id) in asked

    def teardown(self) -> None:
        """In the end, only those who confirmed are known, and their letters are kept while they read."""
        self.service.run(Queue.URGENT)
        for hours in (25, 73, 2, 24 * 31, 2):
            self.time_passes(hours)
        with self.service.site.database.reading() as session:
            mine = Subscriber.address_key.endswith(f"@{self.domain}")
            people = {person.id: person.address_key for person in session.scalars(select(Subscriber).where(mine))}
            standings = session.execute(select(Subscription.subscriber_id, Subscription.standing)).all()
            readers = {people[each] for each, stands in standings if stands == Standing.SUBSCRIBED and each in people}
            signups = session.scalars(select(Signup).where(Signup.address_key.endswith(f"@{self.domain}"))).all()
            assert {signup.address_key for signup in signups} == readers
            assert {stands for _, stands in standings} <= {Standing.SUBSCRIBED, Standing.LEFT}
            rows = select(Letter.id).where(Letter.signup_id.in_([signup.id for signup in signups]))
            assert len(session.scalars(rows).all()) == len(signups)


def test_a_refused_sign_up_leaves_the_slow_lane(service):
    lives = Lives(service)
    service.newsletter(SLUGS[0])
    lives.sign_up("ana", SLUGS[0])
    lives.move_to_the_slow_lane()
    lives.follow_a_link(purpose=Purpose.NEVER, back=0)
    lives.time_passes(hours=30)


def test_who_asks_again_and_leaves_again_keeps_no_evidence_of_the_second_request(service):
    lives = Lives(service)
    service.newsletter(SLUGS[0])
    for purpose in (Purpose.CONFIRM, Purpose.UNSUBSCRIBE, None, Purpose.UNSUBSCRIBE):
        if purpose in (Purpose.CONFIRM, None):
            lives.sign_up("ana", SLUGS[0])
            lives.answer_and_send()
        if purpose:
            lives.follow_a_link(purpose=purpose, back=0)
    left_at = service.clock()
    for hours in (73, 2):
        lives.time_passes(hours)
    with service.site.database.reading() as session:
        entries = session.scalars(select(LedgerEntry).order_by(LedgerEntry.ordinal)).all()
        evidence = set(session.scalars(select(Evidence.entry_id)))
        assert [each.event for each in entries if each.id not in evidence] == [Event.REQUESTED]
        assert [each.event for each in entries[-3:]] == [Event.REQUESTED, Event.WITHDRAWN, Event.LAPSED]
        assert entries[-3].id not in evidence
        assert session.scalars(select(Subscription.since)).all() == [left_at]


@pytest.mark.slow
def test_whatever_people_do_the_sums_hold_and_nobody_is_kept_too_long(service):
    for slug in SLUGS:
        service.newsletter(slug)
    examples = settings(max_examples=12, stateful_step_count=18)
    run_state_machine_as_test(lambda: Lives(service), settings=examples)
