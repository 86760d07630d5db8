"""Claim, send, record, with transports that behave in every possible way."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

from newsletter.consent.signups.signups import SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.links import Links
from newsletter.mail.delivery import claims, reclaiming
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.batch_size import INITIAL_SIZE
from newsletter.mail.delivery.deliveries import OPEN, SUSPECT_DEATHS, Delivery, DeliveryStatus, status_counts
from newsletter.mail.delivery.dispatch import Dispatcher
from newsletter.mail.delivery.leases import Heartbeat
from newsletter.mail.delivery.priority import UrgentPriority
from newsletter.mail.letters.letters import Variant
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport
from newsletter.mail.transport.transport import Message, Outcome, Reply, Result
from newsletter.relays import Relay
from newsletter.store.database import Begin
from tests.builders import (
    KEYRING,
    NUMBERS,
    a_delivery,
    a_letter,
    a_newsletter,
    a_reader,
    a_signup,
    a_worker,
    an_issue,
    owed,
)
from tests.clock import NOON
from tests.servers.databases import opened
from tests.smtp_server import ScriptedServer, held
from tests.statements import executed
from tests.transports import FakeMonotonic, FakeTransport
from tests.whole_service import Clock


class DispatchHarness:
    """A dispatcher with a database, a clock and a heartbeat."""

    def __init__(self, begin: Begin) -> None:
        self.begin, self.clock, self.monotonic = begin, Clock(), FakeMonotonic()
        self.heartbeat = Heartbeat(begin)

    def send(self, transport=None, *, urgent: bool = False, seconds: float = 10**6, **options) -> int:
        dispatcher = self.dispatcher(transport or self.transport(), **options)
        return dispatcher.send_due(urgent=urgent, until=self.monotonic() + seconds)

    def dispatcher(self, transport, **options) -> Dispatcher:
        facts = {
            "begin": self.begin,
            "transport": transport,
            "assembler": Assembler(Links(KEYRING, "https://letters.example"), KEYRING),
            "keyring": KEYRING,
            "heartbeat": self.heartbeat,
            "clock": self.clock,
            "monotonic": self.monotonic,
        }
        return Dispatcher(**facts | options)

    def transport(self, *options, **more) -> FakeTransport:
        return FakeTransport(*options, monotonic=self.monotonic, **more)

    def owes(self, readers: int, **options) -> list[int]:
        with self.begin() as session:
            return [delivery.id for delivery in owed(session, readers, **options)]

    def deliveries(self) -> list[Delivery]:
        with self.begin() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))

    def statuses(self) -> list[DeliveryStatus]:
        return [delivery.status for delivery in self.deliveries()]

    def address(self, delivery: int) -> str:
        with self.begin() as session:
            reader = select(Subscriber.address).join(Delivery, Delivery.subscriber_id == Subscriber.id)
            return session.scalars(reader.where(Delivery.id == delivery)).one()


@pytest.fixture
def harness(begin):
    harness = DispatchHarness(begin)
    yield harness
    harness.heartbeat.close()


def test_every_reader_gets_their_letter_and_the_run_ends(harness):
    harness.owes(INITIAL_SIZE + 10)
    transport = harness.transport(connections=4)
    assert harness.send(transport) == INITIAL_SIZE + 10
    assert harness.statuses() == [DeliveryStatus.SENT] * (INITIAL_SIZE + 10)
    assert len(set(transport.taken)) == INITIAL_SIZE + 10
    assert harness.send(transport) == 0


def test_an_urgent_run_sends_no_letters_of_issues(harness):
    harness.owes(1)
    assert harness.send(urgent=True) == 0
    assert harness.send(urgent=False) == 1


def test_letters_of_issues_pause_while_a_person_waits_for_a_letter(harness):
    harness.owes(3)
    with harness.begin() as session:
        newsletter = a_newsletter(session, "asked-for")
        signup = a_signup(session, newsletter, state=SignupState.ASKED)
        reader = a_reader(session, newsletter, standing=Standing.ASKED)
        a_delivery(session, a_letter(session, newsletter, signup=signup), reader)
    pauses: list[float] = []
    priority = UrgentPriority(monotonic=harness.monotonic, sleep=pauses.append)

    def issue_is_sent_meanwhile(_: Message) -> Outcome:
        assert harness.send(priority=priority) == 3
        return Outcome.TAKEN

    assert harness.send(harness.transport(issue_is_sent_meanwhile), urgent=True, priority=priority) == 1
    assert len(pauses) == 3
    harness.owes(3)
    assert harness.send(priority=priority) == 3
    assert len(pauses) == 3, "no person waits any more"


@pytest.mark.parametrize(("takes", "connections"), [(0.4, 1), (1.0, 20)])
def test_no_letter_begins_later_than_two_seconds_after_its_claim(harness, takes, connections):
    harness.owes(40)
    claimed_at: dict[tuple[int, int], float] = {}
    late = []

    def note(message: Message) -> Outcome:
        late.append(harness.monotonic() - takes > message.begin_by)
        claimed_at[message.delivery, message.attempt] = message.begin_by - 2
        return Outcome.TAKEN

    transport = harness.transport(note, seconds=takes, connections=connections)
    started = harness.monotonic()
    harness.send(transport)
    assert harness.statuses() == [DeliveryStatus.SENT] * 40 or connections > 1, (
        "a released letter is claimed again in the same run"
    )
    while harness.send(transport):
        pass
    assert harness.statuses() == [DeliveryStatus.SENT] * 40
    assert not any(late)
    assert min(claimed_at.values()) == started
    assert max(claimed_at.values()) > started + 10, "late letters were claimed again, with a new consent check"
    assert len(set(transport.taken)) == len(transport.taken) == 40
    assert sum(delivery.attempt for delivery in harness.deliveries()) < 40 * 6, "claims shrink"


def test_a_reader_who_leaves_during_a_run_gets_no_letter_that_was_not_claimed_before(harness):
    harness.owes(INITIAL_SIZE + 2)
    last = harness.address(INITIAL_SIZE + 2)

    def leave_meanwhile(_: Message) -> Outcome:
        with harness.begin() as session:
            leaving = select(Subscriber.id).where(Subscriber.address == last)
            session.execute(
                update(Subscription).where(Subscription.subscriber_id.in_(leaving)).values(standing=Standing.LEFT)
            )
        return Outcome.TAKEN

    transport = harness.transport(leave_meanwhile)
    harness.send(transport)
    assert harness.statuses() == [DeliveryStatus.SENT] * (INITIAL_SIZE + 1) + [DeliveryStatus.WITHHELD]
    assert last not in transport.taken


def test_letters_that_the_transport_has_not_taken_when_the_run_ends_go_back(harness):
    harness.owes(10)
    transport = harness.transport(seconds=0.5)
    assert harness.send(transport, seconds=1.0) == 10
    assert Counter(harness.statuses()) == {DeliveryStatus.SENT: 2, DeliveryStatus.QUEUED: 8}
    assert {delivery.deaths for delivery in harness.deliveries()} == {0}
    harness.send()
    assert harness.statuses() == [DeliveryStatus.SENT] * 10


def test_letters_go_back_if_the_transport_takes_no_more(harness):
    harness.owes(10)
    assert harness.send(harness.transport(limit=3)) == 10
    assert Counter(harness.statuses()) == {DeliveryStatus.SENT: 3, DeliveryStatus.QUEUED: 7}


class InterruptedAssembler(Assembler):
    """An assembler during whose third message a user presses Ctrl+C."""

    assembled = 0

    def assemble(self, claimed, variant, *, begin_by):
        self.assembled += 1
        if self.assembled == 3:
            raise KeyboardInterrupt
        return super().assemble(claimed, variant, begin_by=begin_by)


def test_an_interrupt_during_assembly_leaves_no_letter_claimed(harness):
    harness.owes(20)
    with pytest.raises(KeyboardInterrupt):
        harness.send(assembler=InterruptedAssembler(Links(KEYRING, "https://letters.example"), KEYRING))
    assert harness.statuses() == [DeliveryStatus.QUEUED] * 20
    assert harness.send() == 20


class ContractBreaker:
    """A transport that breaks the contract: it reports some results only, some twice, or raises."""

    def __init__(self, *, results: int, times: int = 1, raises: bool = False) -> None:
        self._results, self._times, self._raises = results, times, raises

    def send(self, messages: Iterator[Message], report: Callable[[Result], None], *, stop: Callable[[], bool]) -> None:
        for number, message in enumerate(messages):
            if number == self._results + 2:
                break
            for outcome in [Outcome.TAKEN, Outcome.LATER][: self._times] if number < self._results else ():
                report(Result(message.delivery, message.attempt, outcome, None, NOON))
        if self._raises:
            raise LookupError


def test_every_claimed_letter_gets_a_result_even_if_the_transport_breaks_the_contract(harness):
    harness.owes(10)
    with pytest.raises(LookupError):
        harness.send(ContractBreaker(results=3, raises=True))
    expected = {DeliveryStatus.SENT: 3, DeliveryStatus.IN_DOUBT: 3, DeliveryStatus.QUEUED: 4}
    assert Counter(harness.statuses()) == expected, "a letter that was taken without a result may have arrived"


def test_the_first_result_of_a_letter_counts(harness):
    harness.owes(1)
    harness.send(ContractBreaker(results=1, times=2))
    assert harness.statuses() == [DeliveryStatus.SENT]


def test_a_letter_that_cannot_be_written_fails_with_a_reason_without_an_address(harness, caplog):
    bad, *good = harness.owes(3)
    with harness.begin() as session:
        reader = select(Delivery.subscriber_id).where(Delivery.id == bad)
        session.execute(update(Subscriber).where(Subscriber.id.in_(reader)).values(address="ana@example.org, bob"))
    assert harness.send() == 3
    failed, *sent = harness.deliveries()
    assert (failed.id, failed.status, failed.reply_code) == (bad, DeliveryStatus.FAILED, None)
    assert failed.reply_text == "the letter cannot be written: the field to cannot be filled: not an address"
    assert [each.id for each in sent if each.status is DeliveryStatus.SENT] == good
    assert "ana" not in caplog.text


@pytest.mark.parametrize("cuts", [[[5, "to", "shoe"]], [[5, "to", "text", "newer"]], [["x"]], "nonsense"])
def test_a_letter_broken_by_a_bug_of_ours_waits_until_it_is_fixed_and_delays_no_other(harness, caplog, cuts):
    (broken,) = harness.owes(1)
    (control,) = harness.owes(1)
    with harness.begin() as session:
        variant = session.get_one(Variant, session.get_one(Delivery, broken).variant_id)
        good, variant.cuts = variant.cuts, cuts
    assert harness.send() == 2
    first, second = harness.deliveries()
    assert (first.status, second.status) == (DeliveryStatus.QUEUED, DeliveryStatus.SENT)
    assert second.id == control
    assert "cannot be written" in first.reply_text
    assert "example.org" not in caplog.text
    assert harness.send() == 0, "it is not tried again at once"
    with harness.begin() as session:
        session.get_one(Variant, first.variant_id).cuts = good
    harness.clock.advance(minutes=10)
    harness.send()
    assert harness.statuses() == [DeliveryStatus.SENT] * 2


def test_a_database_that_goes_away_before_a_claim_ends_the_run_and_leaves_nothing_in_doubt(harness, caplog):
    harness.owes(INITIAL_SIZE * 2)
    claims_that_succeed = iter([True])

    @contextmanager
    def shaky():
        if threading.current_thread().name != "recording" and not next(claims_that_succeed, False):
            raise OperationalError("", {}, Exception("away"))
        with harness.begin() as session:
            yield session

    harness.heartbeat.worker(now=NOON)
    transport = harness.transport(connections=8)
    assert harness.send(transport, begin=shaky) == INITIAL_SIZE
    assert harness.statuses() == [DeliveryStatus.SENT] * INITIAL_SIZE + [DeliveryStatus.QUEUED] * INITIAL_SIZE
    assert "nothing can be claimed, the database is unavailable" in caplog.text
    harness.send(transport)
    assert len(set(transport.taken)) == len(transport.taken) == INITIAL_SIZE * 2


def test_a_suspect_is_sent_alone(harness):
    first, second = harness.owes(2, deaths=SUSPECT_DEATHS)
    control = harness.owes(3)
    runs = []
    for _ in range(3):
        transport = harness.transport(connections=4)
        harness.send(transport)
        runs.append([message.delivery for message in transport.begun])
    assert runs == [control, [first], [second]]
    assert harness.statuses() == [DeliveryStatus.SENT] * 5


def test_no_other_letter_is_sent_beside_a_suspect(harness):
    harness.owes(1, deaths=SUSPECT_DEATHS)

    def others_are_due_meanwhile(_: Message) -> Outcome:
        harness.owes(2)
        return Outcome.TAKEN

    transport = harness.transport(others_are_due_meanwhile)
    harness.send(transport)
    assert len(transport.begun) == 1
    assert harness.statuses() == [DeliveryStatus.SENT, DeliveryStatus.QUEUED, DeliveryStatus.QUEUED]


def claims_of(harness, database, transport: FakeTransport) -> int:
    """Return how many claim statements a run executes."""
    with executed(database) as statements:
        harness.send(transport)
    return sum(statement.startswith("WITH due") for statement in statements)


def test_many_letters_are_claimed_in_few_statements(harness, database):
    harness.owes(32 + 64 + 128)
    assert claims_of(harness, database, harness.transport()) <= 5
    assert harness.statuses() == [DeliveryStatus.SENT] * (32 + 64 + 128)


def test_after_a_slow_moment_claims_grow_again(harness, database):
    harness.owes(200)
    slow = iter([1.0] * 6)
    transport = harness.transport()

    def slow_at_first(_: Message) -> Outcome:
        harness.monotonic.now += next(slow, 0)
        return Outcome.TAKEN

    transport._outcome = slow_at_first
    assert claims_of(harness, database, transport) <= 16
    assert harness.statuses() == [DeliveryStatus.SENT] * 200


def test_letters_of_a_claim_whose_commit_was_not_confirmed_are_sent_in_the_next_run(harness):
    harness.owes(3)
    lost = [True]

    @contextmanager
    def first_commit_not_confirmed():
        with harness.begin() as session:
            yield session
        if threading.current_thread().name.startswith("claims") and lost:
            lost.pop()
            raise OperationalError("", {}, Exception("the commit was not confirmed"))

    dispatcher = harness.dispatcher(harness.transport(), begin=first_commit_not_confirmed)
    assert dispatcher.send_due(urgent=False, until=10**9) == 0
    assert harness.statuses() == [DeliveryStatus.CLAIMED] * 3
    assert dispatcher.send_due(urgent=False, until=10**9) == 3
    assert harness.statuses() == [DeliveryStatus.SENT] * 3


NO_MAILBOX = Reply(550, "5.1.1", "User unknown")


@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 20])
def test_an_issue_with_too_many_refusals_stops_within_a_few_letters_and_others_go_on(harness, connections):
    bad, good = harness.owes(300), harness.owes(30)
    relay = harness.transport(
        lambda message: Outcome.REFUSED if message.delivery in bad else Outcome.TAKEN,
        connections=connections,
        reply=NO_MAILBOX,
    )
    harness.send(relay)
    begun = [message.delivery for message in relay.begun]
    refused = [number for number in begun if number in bad]
    assert 10 <= len(refused) <= 10 + connections
    assert [number for number in begun if number in good] == good
    found = harness.deliveries()
    assert {each.status for each in found if each.id in refused} == {DeliveryStatus.FAILED}
    waiting = [each for each in found if each.id in bad and each.id not in refused]
    assert {(each.status, each.carrier_id) for each in waiting} == {(DeliveryStatus.QUEUED, None)}
    with harness.begin() as session:
        assert Counter(session.scalars(select(Issue.status))) == {IssueStatus.PAUSED: 1, IssueStatus.SENDING: 1}


def test_without_refusals_nothing_is_counted(harness, database):
    harness.owes(100)
    with executed(database) as statements:
        harness.send()
    assert not [each for each in statements if "acts" in each or "subscriber_id <=" in each]


@pytest.mark.parametrize(("letters", "calls"), [(INITIAL_SIZE - 1, 0), (3 * INITIAL_SIZE, 1)])
def test_other_workers_are_woken_once_in_a_run_if_more_is_due_than_one_claim_takes(harness, letters, calls):
    harness.owes(letters)
    called = []
    harness.dispatcher(harness.transport(), on_more_due=lambda: called.append(True)).send_due(urgent=False, until=10**9)
    assert len(called) == calls
    assert harness.statuses() == [DeliveryStatus.SENT] * letters


@pytest.mark.parametrize("seconds", [0.3, 60])
def test_no_letter_waits_for_another_that_the_relay_is_slow_to_reply_to(begin, seconds):
    """Neither after the time of the run is up, nor if nothing else was due when the slow letter was sent."""
    harness = DispatchHarness(begin)
    harness.monotonic = time.monotonic
    harness.owes(1)
    came = []

    def meanwhile() -> None:
        came.append(seen := harness.statuses().count(DeliveryStatus.SENT))
        if seen == len(came) - 1:  # one more comes, and it is not waited for either
            harness.owes(1)
        if seen:
            server.release()

    with ScriptedServer({"DOT": [held("250 2.0.0 at last")]}) as server:
        relay = Relay(host=server.host, port=server.port, connections=2)
        with closing(SmtpTransport(relay, ehlo_name="news.example")) as transport, closing(harness.heartbeat):
            dispatcher = harness.dispatcher(transport)
            recorded = dispatcher.send_due(urgent=False, until=time.monotonic() + seconds, meanwhile=meanwhile)
    assert recorded >= 2
    assert came[0] == 0
    assert max(came) >= 1, "others were sent while the first was under way"
    assert set(harness.statuses()) == {DeliveryStatus.SENT}


def test_three_processes_share_the_letters_and_no_reader_gets_two(postgresql_url):
    with closing(opened(postgresql_url)) as database:
        harnesses = [DispatchHarness(database.writing) for _ in range(3)]
        harnesses[0].owes(200)
        transports = [harness.transport(connections=4) for harness in harnesses]
        with ThreadPoolExecutor(len(harnesses)) as crowd:
            list(crowd.map(lambda pair: pair[0].send(pair[1]), zip(harnesses, transports, strict=True)))
        got = Counter(address for transport in transports for address in transport.taken)
        assert len(got) == 200
        assert set(got.values()) == {1}
        assert harnesses[0].statuses() == [DeliveryStatus.SENT] * 200
        for harness in harnesses:
            harness.heartbeat.close()


READERS = 8


class History(RuleBasedStateMachine):
    """Everything that can happen to an issue; at every step the counts are right."""

    def __init__(self, harness: DispatchHarness) -> None:
        super().__init__()
        self.harness = harness
        self.left: set[str] = set()
        self.arrived: Counter[str] = Counter()
        self.final: dict[int, DeliveryStatus] = {}
        with harness.begin() as session:
            session.execute(delete(Delivery))
            newsletter = a_newsletter(session, f"letter{next(NUMBERS)}")
            self.issue = an_issue(session, newsletter).id
            written = a_letter(session, newsletter, issue=session.get_one(Issue, self.issue), audience=READERS)
            self.letter = written[0].id
            self.readers = [a_reader(session, newsletter) for _ in range(READERS)]
            for reader in self.readers:
                a_delivery(session, written, reader, due_at=harness.clock())

    @rule(outcomes=st.lists(st.sampled_from(Outcome), min_size=1, max_size=READERS), connections=st.integers(1, 4))
    def a_worker_sends(self, outcomes, connections):
        remaining = iter(outcomes)
        left_before = set(self.left)
        transport = self.harness.transport(
            lambda _: next(remaining, Outcome.TAKEN), connections=connections, limit=len(outcomes)
        )
        self.harness.send(transport)
        assert not left_before & {message.recipient for message in transport.begun}
        self.arrived.update(transport.taken)

    @rule(number=st.integers(0, READERS - 1))
    def a_reader_leaves(self, number):
        reader = self.readers[number]
        with self.harness.begin() as session:
            mine = update(Subscription).where(Subscription.subscriber_id == reader.id)
            session.execute(mine.values(standing=Standing.LEFT))
        self.left.add(reader.address)

    @rule(limit=st.integers(1, READERS))
    def a_worker_dies_with_claimed_letters(self, limit):
        with self.harness.begin() as session:
            stopped = a_worker(session)
            claims.claim(session, stopped, limit=limit, urgent=False, key="k1", now=self.harness.clock())
        with self.harness.begin() as session:
            reclaiming.reclaim(session, [stopped], now=self.harness.clock())

    @rule(minutes=st.sampled_from([1, 10, 120, 60 * 49]))
    def time_passes(self, minutes):
        self.harness.clock.advance(minutes=minutes)

    @rule(status=st.sampled_from([IssueStatus.PAUSED, IssueStatus.SENDING]))
    def the_operator_pauses_or_resumes(self, status):
        self._set(status)

    @precondition(lambda self: len(self.final) > READERS // 2)
    @rule()
    def the_operator_cancels(self):
        self._set(IssueStatus.CANCELLED)

    def _set(self, status: IssueStatus) -> None:
        with self.harness.begin() as session:
            mine = update(Issue).where(Issue.id == self.issue, Issue.status != IssueStatus.CANCELLED)
            session.execute(mine.values(status=status))

    @invariant()
    def the_audience_is_the_sum_of_the_states(self):
        with self.harness.begin() as session:
            assert sum(status_counts(session, self.letter).values()) == READERS

    @invariant()
    def a_final_state_never_changes(self):
        now = {each.id: each.status for each in self.harness.deliveries() if each.status not in OPEN}
        assert self.final.items() <= now.items()
        self.final = now

    @invariant()
    def no_letter_is_claimed_between_two_runs(self):
        assert DeliveryStatus.CLAIMED not in self.harness.statuses()

    @invariant()
    def no_reader_gets_it_twice(self):
        assert max(self.arrived.values(), default=0) <= 1

    def teardown(self):
        """In the end every delivery is in one final state, and it is the true one."""
        self._set(IssueStatus.SENDING)
        while set(self.harness.statuses()) & set(OPEN):
            transport = self.harness.transport()
            self.harness.send(transport)
            self.arrived.update(transport.taken)
            self.harness.clock.advance(hours=3)
        address = {reader.id: reader.address for reader in self.readers}
        for delivery in self.harness.deliveries():
            arrived = self.arrived[address[delivery.subscriber_id]]
            assert arrived == (delivery.status is DeliveryStatus.SENT)
            if delivery.status is DeliveryStatus.WITHHELD:
                assert address[delivery.subscriber_id] in self.left
        self.no_reader_gets_it_twice()


@pytest.mark.slow
def test_whatever_happens_the_counts_are_right_and_no_reader_gets_a_letter_twice(harness, database):
    examples = settings(max_examples=15 if database.is_sqlite else 8, stateful_step_count=15)
    run_state_machine_as_test(lambda: History(harness), settings=examples)


def test_letters_that_come_back_from_a_closed_connection_make_no_claim_smaller(harness):
    harness.owes(4 * INITIAL_SIZE)
    closing_now_and_then = harness.transport(
        lambda message: Outcome.UNTOUCHED if message.attempt == 1 and message.delivery % 10 == 0 else Outcome.TAKEN,
        seconds=0.001,
    )
    dispatcher = harness.dispatcher(closing_now_and_then)
    dispatcher.send_due(urgent=False, until=harness.monotonic() + 1)
    assert dispatcher.lane(urgent=False).batch_size.size >= INITIAL_SIZE


def test_a_reply_that_names_the_reader_is_recorded_without_the_name(harness):
    harness.owes(1)
    local = []

    def refuse(message: Message) -> Outcome:
        local.append(message.recipient.partition("@")[0])
        relay._reply = Reply(550, "5.1.1", f"{local[0]}... User unknown")
        return Outcome.REFUSED

    relay = harness.transport(refuse)
    harness.send(relay)
    assert [each.reply_text for each in harness.deliveries()] == ["5.1.1 <address>... User unknown"]
