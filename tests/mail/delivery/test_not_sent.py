"""A letter that may have arrived never ends as not sent: all ways in which it may have, with all ways to end."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue
from newsletter.doctor import examination
from newsletter.doctor.checks.findings import Check
from newsletter.doctor.checks.letters import states, sums
from newsletter.doctor.repairs import Repairer
from newsletter.mail.delivery import claims, reclaiming, results
from newsletter.mail.delivery.deliveries import OPEN, SUSPECT_DEATHS, WAITING, Delivery, DeliveryStatus
from newsletter.mail.letters.letters import Letter
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.store.database import Database
from tests.builders import NUMBERS, a_delivery, a_letter, a_newsletter, a_reader, a_signup, a_worker, owed
from tests.clock import NOON

UNKNOWN_WORKER = 10**9  # an id that no worker has
LONG = timedelta(days=9)  # longer than any letter is tried for

Step = Callable[["LetterHistory"], None]


class LetterHistory:
    """One delivery and what may happen to it; every step is a transaction of its own."""

    def __init__(self, database: Database, *, urgent: bool = False) -> None:
        self.database = database
        self.urgent = urgent
        self.now = NOON
        with self.write() as session:
            made = _confirmation(session) if urgent else _of_an_issue(session)
            self.id, self.letter, self.reader = made.id, made.letter_id, made.subscriber_id

    def write(self) -> AbstractContextManager[Session]:
        return self.database.writing()

    def status(self) -> DeliveryStatus:
        with self.database.reading() as session:
            return session.get_one(Delivery, self.id).status

    def outcome(self) -> DeliveryStatus:
        """Return its status; if it waits, after it is claimed again."""
        if self.status() in WAITING:
            self.claimed()
        return self.status()

    def claimed(self) -> int:
        """Claim what is due with a new worker, by itself if it is a suspect; returns the worker's id."""
        self.now += timedelta(hours=4)
        with self.write() as session:
            worker = a_worker(session)
            options = {"urgent": self.urgent, "key": "k1", "now": self.now}
            if not claims.claim(session, worker, limit=500, **options):
                claims.claim_suspect(session, worker, **options)
        return worker

    def reported(self, worker: int, outcome: Outcome, reply: Reply | None = None) -> None:
        with self.write() as session:
            attempt = session.get_one(Delivery, self.id).attempt
            result = Result(self.id, attempt, outcome, reply, self.now)
            results.record(session, worker, [result], now=self.now)

    def lease_expired(self, worker: int) -> None:
        with self.write() as session:
            reclaiming.reclaim(session, [worker], now=self.now)

    def change(self, model: type, of_reader: InstrumentedAttribute[int], **values: object) -> None:
        with self.write() as session:
            session.execute(update(model).where(of_reader == self.reader).values(values))


def _of_an_issue(session: Session) -> Delivery:
    return owed(session, 1)[0]


def _confirmation(session: Session) -> Delivery:
    newsletter = a_newsletter(session, f"letter{next(NUMBERS)}")
    signup = a_signup(session, newsletter, state=SignupState.ASKED)
    reader = a_reader(session, newsletter, signup.address, standing=Standing.ASKED)
    return a_delivery(session, a_letter(session, newsletter, signup=signup), reader)


def never_tried(_: LetterHistory) -> None:
    pass


def untouched(letter: LetterHistory) -> None:
    letter.reported(letter.claimed(), Outcome.UNTOUCHED)


def untouched_by_a_worker_that_only_seemed_stopped(letter: LetterHistory) -> None:
    worker = letter.claimed()
    letter.lease_expired(worker)
    letter.reported(worker, Outcome.UNTOUCHED)


def deferred_by_a_worker_that_only_seemed_stopped(letter: LetterHistory) -> None:
    worker = letter.claimed()
    letter.lease_expired(worker)
    letter.reported(worker, Outcome.LATER)


def claimed_by_a_worker_that_does_not_know_of_it(letter: LetterHistory) -> None:
    worker = letter.claimed()
    with letter.write() as session:
        assert reclaiming.release(session, worker, urgent=letter.urgent) == 1


def deferred(letter: LetterHistory) -> None:
    letter.reported(letter.claimed(), Outcome.LATER, Reply(451, "4.7.1", "come back later"))


CANNOT_HAVE_ARRIVED: tuple[Step, ...] = (
    never_tried,
    untouched,
    untouched_by_a_worker_that_only_seemed_stopped,
    deferred_by_a_worker_that_only_seemed_stopped,
    claimed_by_a_worker_that_does_not_know_of_it,
    deferred,
)


def its_worker_stopped(letter: LetterHistory) -> None:
    letter.lease_expired(letter.claimed())


def three_workers_stopped(letter: LetterHistory) -> None:
    for _ in range(SUSPECT_DEATHS):
        its_worker_stopped(letter)


def its_worker_stopped_and_another_left_it_alone(letter: LetterHistory) -> None:
    its_worker_stopped(letter)
    untouched(letter)


def its_worker_stopped_and_another_only_seemed_stopped(letter: LetterHistory) -> None:
    its_worker_stopped(letter)
    untouched_by_a_worker_that_only_seemed_stopped(letter)


def its_worker_is_not_in_the_database_any_more(letter: LetterHistory) -> None:
    letter.claimed()
    letter.change(Delivery, Delivery.subscriber_id, carrier_id=UNKNOWN_WORKER)
    reading, writing = letter.database.reading, letter.database.writing
    assert Repairer(reading=reading, writing=writing, actor="tests", now=lambda: NOON).repair({Check.DEAD_CLAIMS})


def the_relay_did_not_answer(letter: LetterHistory) -> None:
    letter.reported(letter.claimed(), Outcome.IN_DOUBT)


def a_worker_that_only_seemed_stopped_got_no_answer(letter: LetterHistory) -> None:
    worker = letter.claimed()
    letter.lease_expired(worker)
    letter.reported(worker, Outcome.IN_DOUBT)


MAY_HAVE_ARRIVED: tuple[Step, ...] = (
    its_worker_stopped,
    three_workers_stopped,
    its_worker_stopped_and_another_left_it_alone,
    its_worker_stopped_and_another_only_seemed_stopped,
    its_worker_is_not_in_the_database_any_more,
    the_relay_did_not_answer,
    a_worker_that_only_seemed_stopped_got_no_answer,
)


def the_reader_leaves(letter: LetterHistory) -> None:
    letter.change(Subscription, Subscription.subscriber_id, standing=Standing.LEFT)


def the_reader_pauses(letter: LetterHistory) -> None:
    letter.change(Subscription, Subscription.subscriber_id, paused_until=letter.now + LONG)


def the_reader_says_never(letter: LetterHistory) -> None:
    letter.change(Subscriber, Subscriber.id, suppressed=Reason.NEVER)


def the_reader_is_erased(letter: LetterHistory) -> None:
    with letter.write() as session:
        session.execute(delete(Subscription).where(Subscription.subscriber_id == letter.reader))
        session.execute(delete(Subscriber).where(Subscriber.id == letter.reader))


def the_issue_is_cancelled(letter: LetterHistory) -> None:
    with letter.write() as session:
        issue = session.get_one(Issue, session.get_one(Letter, letter.letter).issue_id)
        transitions.cancel(session, issue, actor="tests", now=letter.now)


def the_visitor_confirms_by_another_letter(letter: LetterHistory) -> None:
    with letter.write() as session:
        signup = session.get_one(Letter, letter.letter).signup_id
        session.execute(update(Signup).where(Signup.id == signup).values(state=SignupState.CONFIRMED))


def the_relay_says_that_the_mailbox_does_not_exist(letter: LetterHistory) -> None:
    letter.reported(letter.claimed(), Outcome.REFUSED, Reply(550, "5.1.1", "no such user"))


def the_letter_cannot_be_written(letter: LetterHistory) -> None:
    letter.reported(letter.claimed(), Outcome.REFUSED, Reply(None, None, "the letter cannot be written"))


def the_relay_defers_it_for_too_long(letter: LetterHistory) -> None:
    worker = letter.claimed()
    letter.now += LONG
    letter.reported(worker, Outcome.LATER, Reply(451, "4.7.1", "come back later"))


ENDS_OF_ANY: dict[Step, DeliveryStatus] = {
    the_reader_says_never: DeliveryStatus.WITHHELD,
    the_reader_is_erased: DeliveryStatus.WITHHELD,
    the_relay_says_that_the_mailbox_does_not_exist: DeliveryStatus.FAILED,
    the_letter_cannot_be_written: DeliveryStatus.FAILED,
    the_relay_defers_it_for_too_long: DeliveryStatus.FAILED,
}
ENDS = {
    False: {
        the_reader_leaves: DeliveryStatus.WITHHELD,
        the_reader_pauses: DeliveryStatus.WITHHELD,
        the_issue_is_cancelled: DeliveryStatus.CANCELLED,
        **ENDS_OF_ANY,
    },
    True: {the_visitor_confirms_by_another_letter: DeliveryStatus.WITHHELD, **ENDS_OF_ANY},
}


def ended(database: Database, before: Step, *, urgent: bool) -> dict[str, DeliveryStatus]:
    """Return how a letter to which this has happened ends, by what ends it."""
    found = {}
    for end in ENDS[urgent]:
        letter = LetterHistory(database, urgent=urgent)
        before(letter)
        assert letter.status() in OPEN
        end(letter)
        found[end.__name__] = letter.outcome()
    return found


def are_the_counts_right(database: Database) -> bool:
    with database.reading() as session:
        return not [*sums(session), *states(session)]


CONFIRMATIONS = (
    never_tried,
    untouched,
    its_worker_stopped,
    the_relay_did_not_answer,
)  # the other steps would test nothing new


def cases(steps: tuple[Step, ...]) -> list[object]:
    both = [(step, False) for step in steps] + [(step, True) for step in CONFIRMATIONS if step in steps]
    return [pytest.param(step, urgent, id=f"{step.__name__}-{urgent=}") for step, urgent in both]


@pytest.mark.parametrize(("doubt", "urgent"), cases(MAY_HAVE_ARRIVED))
def test_a_letter_that_may_have_arrived_ends_unknown_whatever_ends_it(database, doubt, urgent):
    expected = {end.__name__: DeliveryStatus.UNKNOWN for end in ENDS[urgent]}
    assert ended(database, doubt, urgent=urgent) == expected
    assert are_the_counts_right(database)


@pytest.mark.parametrize(("before", "urgent"), cases(CANNOT_HAVE_ARRIVED))
def test_a_letter_that_cannot_have_arrived_ends_as_what_ended_it(database, before, urgent):
    expected = {end.__name__: status for end, status in ENDS[urgent].items()}
    assert ended(database, before, urgent=urgent) == expected
    assert are_the_counts_right(database)


@given(
    steps=st.lists(st.sampled_from([*CANNOT_HAVE_ARRIVED, *MAY_HAVE_ARRIVED]), max_size=5),
    end=st.sampled_from(list(ENDS[False])),
)
@settings(max_examples=10)
def test_an_attempt_that_may_have_succeeded_is_never_forgotten(database, steps, end):
    letter, doubtful = LetterHistory(database), False
    for step in [*steps, end]:
        if letter.status() in OPEN:
            step(letter)
            doubtful = doubtful or step in MAY_HAVE_ARRIVED
    assert letter.outcome() is (DeliveryStatus.UNKNOWN if doubtful else ENDS[False][end])
    assert are_the_counts_right(database)


@pytest.mark.parametrize("doubt", MAY_HAVE_ARRIVED, ids=lambda step: step.__name__)
def test_a_letter_that_may_have_arrived_ends_sent_if_a_relay_takes_it_at_last(database, doubt):
    letter = LetterHistory(database)
    doubt(letter)
    letter.reported(letter.claimed(), Outcome.TAKEN)
    assert letter.status() is DeliveryStatus.SENT


def test_the_doctor_remarks_that_the_letters_of_a_stopped_worker_may_have_arrived(database):
    its_worker_stopped(LetterHistory(database))
    with database.reading() as session:
        (remark,) = examination.collect_remarks(session, now=NOON)
    assert remark.name == "in-doubt"
    assert remark.says.startswith("1 may have arrived")
