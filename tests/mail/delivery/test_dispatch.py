"""Claim, carry, record, with postmen who do as they please."""

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

from newsletter.consent.signups import SignupState
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.content.issues import Issue, IssueStatus
from newsletter.links import Links
from newsletter.mail.delivery import claims, results
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.batch_size import FIRST
from newsletter.mail.delivery.deliveries import DEATHS, OPEN, Delivery, DeliveryStatus, sums
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
    a_carrier,
    a_delivery,
    a_letter,
    a_newsletter,
    a_reader,
    a_signup,
    an_issue,
    owed,
)
from tests.clock import NOON
from tests.servers.databases import opened
from tests.smtp_server import ScriptedServer, late
from tests.statements import executed
from tests.transports import FakeMonotonic, FakeTransport
from tests.whole_service import Clock


class Office:
    """A dispatcher with everything around it."""

    def __init__(self, begin: Begin) -> None:
        self.begin, self.clock, self.ticks = begin, Clock(), FakeMonotonic()
        self.heartbeat = Heartbeat(begin)

    def rings(self, transport=None, *, urgent: bool = False, seconds: float = 10**6, **given) -> int:
        desk = self.dispatcher(transport or self.transport(), **given)
        return desk.send_due(urgent=urgent, until=self.ticks() + seconds)

    def dispatcher(self, transport, **given) -> Dispatcher:
        facts = {
            "begin": self.begin,
            "transport": transport,
            "assembler": Assembler(Links(KEYRING, "https://letters.example"), KEYRING),
            "keyring": KEYRING,
            "heartbeat": self.heartbeat,
            "clock": self.clock,
            "ticks": self.ticks,
        }
        return Dispatcher(**facts | given)

    def transport(self, *given, **more) -> FakeTransport:
        return FakeTransport(*given, monotonic=self.ticks, **more)

    def owes(self, readers: int, **given) -> list[int]:
        with self.begin() as session:
            return [delivery.id for delivery in owed(session, readers, **given)]

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
def office(begin):
    office = Office(begin)
    yield office
    office.heartbeat.close()


def test_everybody_gets_their_letter_and_the_ring_ends(office):
    office.owes(FIRST + 10)
    transport = office.transport(connections=4)
    assert office.rings(transport) == FIRST + 10
    assert office.statuses() == [DeliveryStatus.SENT] * (FIRST + 10)
    assert len(set(transport.taken)) == FIRST + 10
    assert office.rings(transport) == 0


def test_an_urgent_ring_leaves_the_issues_letters_alone(office):
    office.owes(1)
    assert office.rings(urgent=True) == 0
    assert office.rings(urgent=False) == 1


def test_letters_of_issues_give_way_while_somebody_waits_for_a_letter(office):
    office.owes(3)
    with office.begin() as session:
        newsletter = a_newsletter(session, "asked-for")
        signup = a_signup(session, newsletter, state=SignupState.ASKED)
        reader = a_reader(session, newsletter, standing=Standing.ASKED)
        a_delivery(session, a_letter(session, newsletter, signup=signup), reader)
    pauses: list[float] = []
    priority = UrgentPriority(ticks=office.ticks, nap=pauses.append)

    def issue_leaves_meanwhile(_: Message) -> Outcome:
        assert office.rings(priority=priority) == 3
        return Outcome.TAKEN

    assert office.rings(office.transport(issue_leaves_meanwhile), urgent=True, priority=priority) == 1
    assert len(pauses) == 3
    office.owes(3)
    assert office.rings(priority=priority) == 3
    assert len(pauses) == 3, "nobody waits any more"


@pytest.mark.parametrize(("takes", "connections"), [(0.4, 1), (1.0, 20)])
def test_nobody_begins_a_letter_later_than_two_seconds_after_its_claim(office, takes, connections):
    office.owes(40)
    claimed_at: dict[tuple[int, int], float] = {}
    late = []

    def noting(message: Message) -> Outcome:
        late.append(office.ticks() - takes > message.begin_by)
        claimed_at[message.delivery, message.attempt] = message.begin_by - 2
        return Outcome.TAKEN

    transport = office.transport(noting, seconds=takes, connections=connections)
    started = office.ticks()
    office.rings(transport)
    assert office.statuses() == [DeliveryStatus.SENT] * 40 or connections > 1, (
        "what goes back is claimed in the same ring"
    )
    while office.rings(transport):
        pass
    assert office.statuses() == [DeliveryStatus.SENT] * 40
    assert not any(late)
    assert min(claimed_at.values()) == started
    assert max(claimed_at.values()) > started + 10, "what waited too long was claimed again, its consent fresh"
    assert len(set(transport.taken)) == len(transport.taken) == 40
    assert sum(delivery.attempt for delivery in office.deliveries()) < 40 * 6, "claims shrink to what can be begun"


def test_the_reader_who_leaves_while_letters_leave_gets_none_if_theirs_was_not_claimed(office):
    office.owes(FIRST + 2)
    last = office.address(FIRST + 2)

    def leave_meanwhile(_: Message) -> Outcome:
        with office.begin() as session:
            who = select(Subscriber.id).where(Subscriber.address == last)
            session.execute(
                update(Subscription).where(Subscription.subscriber_id.in_(who)).values(standing=Standing.LEFT)
            )
        return Outcome.TAKEN

    transport = office.transport(leave_meanwhile)
    office.rings(transport)
    assert office.statuses() == [DeliveryStatus.SENT] * (FIRST + 1) + [DeliveryStatus.WITHHELD]
    assert last not in transport.taken


def test_when_the_ring_is_over_what_was_not_pulled_goes_back(office):
    office.owes(10)
    transport = office.transport(seconds=0.5)
    assert office.rings(transport, seconds=1.0) == 10
    assert Counter(office.statuses()) == {DeliveryStatus.SENT: 2, DeliveryStatus.QUEUED: 8}
    assert {delivery.deaths for delivery in office.deliveries()} == {0}
    office.rings()
    assert office.statuses() == [DeliveryStatus.SENT] * 10


def test_a_postman_who_can_carry_no_more_leaves_the_rest_where_it_was(office):
    office.owes(10)
    assert office.rings(office.transport(limit=3)) == 10
    assert Counter(office.statuses()) == {DeliveryStatus.SENT: 3, DeliveryStatus.QUEUED: 7}


class Interrupted(Assembler):
    """Somebody presses Ctrl+C while the third letter is packed."""

    packed = 0

    def pack(self, claimed, variant, *, begin_by):
        self.packed += 1
        if self.packed == 3:
            raise KeyboardInterrupt
        return super().pack(claimed, variant, begin_by=begin_by)


def test_whoever_is_interrupted_while_packing_leaves_no_letter_claimed(office):
    office.owes(20)
    with pytest.raises(KeyboardInterrupt):
        office.rings(assembler=Interrupted(Links(KEYRING, "https://letters.example"), KEYRING))
    assert office.statuses() == [DeliveryStatus.QUEUED] * 20
    assert office.rings() == 20


class Careless:
    """A postman who breaks the contract."""

    def __init__(self, *, reports: int, times: int = 1, raises: bool = False) -> None:
        self._reports, self._times, self._raises = reports, times, raises

    def send(self, messages: Iterator[Message], report: Callable[[Result], None], *, stop: Callable[[], bool]) -> None:
        for number, message in enumerate(messages):
            if number == self._reports + 2:
                break
            for outcome in [Outcome.TAKEN, Outcome.LATER][: self._times] if number < self._reports else ():
                report(Result(message.delivery, message.attempt, outcome, None, NOON))
        if self._raises:
            raise LookupError


def test_whatever_a_postman_breaks_every_letter_claimed_is_accounted_for(office):
    office.owes(10)
    with pytest.raises(LookupError):
        office.rings(Careless(reports=3, raises=True))
    expected = {DeliveryStatus.SENT: 3, DeliveryStatus.IN_DOUBT: 3, DeliveryStatus.QUEUED: 4}
    assert Counter(office.statuses()) == expected, "what he pulled and never reported on may have arrived"


def test_a_postmans_first_word_about_a_letter_counts(office):
    office.owes(1)
    office.rings(Careless(reports=1, times=2))
    assert office.statuses() == [DeliveryStatus.SENT]


def test_a_letter_that_cannot_be_written_fails_with_a_reason_that_names_nobody(office, caplog):
    bad, *good = office.owes(3)
    with office.begin() as session:
        who = select(Delivery.subscriber_id).where(Delivery.id == bad)
        session.execute(update(Subscriber).where(Subscriber.id.in_(who)).values(address="ana@example.org, bob"))
    assert office.rings() == 3
    failed, *sent = office.deliveries()
    assert (failed.id, failed.status, failed.reply_code) == (bad, DeliveryStatus.FAILED, None)
    assert failed.reply_text == "the letter cannot be written: the field to cannot be filled: this is not an address"
    assert [each.id for each in sent if each.status is DeliveryStatus.SENT] == good
    assert "ana" not in caplog.text


@pytest.mark.parametrize("cuts", [[[5, "to", "shoe"]], [[5, "to", "text", "newer"]], [["x"]], "nonsense"])
def test_a_letter_that_we_spoilt_waits_until_somebody_mends_it_and_holds_up_no_other(office, caplog, cuts):
    (spoilt,) = office.owes(1)
    (control,) = office.owes(1)
    with office.begin() as session:
        variant = session.get_one(Variant, session.get_one(Delivery, spoilt).variant_id)
        good, variant.cuts = variant.cuts, cuts
    assert office.rings() == 2
    first, second = office.deliveries()
    assert (first.status, second.status) == (DeliveryStatus.QUEUED, DeliveryStatus.SENT)
    assert second.id == control
    assert "cannot be written" in first.reply_text
    assert "example.org" not in caplog.text
    assert office.rings() == 0, "it is not tried again at once"
    with office.begin() as session:
        session.get_one(Variant, first.variant_id).cuts = good
    office.clock.pass_(minutes=10)
    office.rings()
    assert office.statuses() == [DeliveryStatus.SENT] * 2


def test_a_database_that_goes_away_before_a_claim_ends_the_ring_and_leaves_nothing_in_doubt(office, caplog):
    office.owes(FIRST * 2)
    claims_that_succeed = iter([True])

    @contextmanager
    def shaky():
        if threading.current_thread().name != "recorder" and not next(claims_that_succeed, False):
            raise OperationalError("", {}, Exception("away"))
        with office.begin() as session:
            yield session

    office.heartbeat.carrier(now=NOON)
    transport = office.transport(connections=8)
    assert office.rings(transport, begin=shaky) == FIRST
    assert office.statuses() == [DeliveryStatus.SENT] * FIRST + [DeliveryStatus.QUEUED] * FIRST
    assert "nothing can be claimed, the database is unavailable" in caplog.text
    office.rings(transport)
    assert len(set(transport.taken)) == len(transport.taken) == FIRST * 2


def test_a_letter_that_carriers_did_not_survive_is_carried_alone(office):
    first, second = office.owes(2, deaths=DEATHS)
    control = office.owes(3)
    rings = []
    for _ in range(3):
        transport = office.transport(connections=4)
        office.rings(transport)
        rings.append([message.delivery for message in transport.begun])
    assert rings == [control, [first], [second]]
    assert office.statuses() == [DeliveryStatus.SENT] * 5


def test_nothing_joins_a_letter_that_is_carried_alone(office):
    office.owes(1, deaths=DEATHS)

    def others_are_due_meanwhile(_: Message) -> Outcome:
        office.owes(2)
        return Outcome.TAKEN

    transport = office.transport(others_are_due_meanwhile)
    office.rings(transport)
    assert len(transport.begun) == 1
    assert office.statuses() == [DeliveryStatus.SENT, DeliveryStatus.QUEUED, DeliveryStatus.QUEUED]


def claims_of(office, database, transport: FakeTransport) -> int:
    """How many statements a ring claims its letters with."""
    with executed(database) as statements:
        office.rings(transport)
    return sum(statement.startswith("WITH due") for statement in statements)


def test_many_letters_are_claimed_in_few_statements(office, database):
    office.owes(32 + 64 + 128)
    assert claims_of(office, database, office.transport()) <= 5
    assert office.statuses() == [DeliveryStatus.SENT] * (32 + 64 + 128)


def test_after_a_slow_moment_claims_grow_again(office, database):
    office.owes(200)
    slow = iter([1.0] * 6)
    transport = office.transport()

    def slow_at_first(_: Message) -> Outcome:
        office.ticks.now += next(slow, 0)
        return Outcome.TAKEN

    transport._outcome = slow_at_first
    assert claims_of(office, database, transport) <= 16
    assert office.statuses() == [DeliveryStatus.SENT] * 200


def test_what_was_claimed_though_nobody_heard_of_it_is_carried_in_the_next_ring(office):
    office.owes(3)
    lost = [True]

    @contextmanager
    def no_answer_to_the_first_claim():
        with office.begin() as session:
            yield session
        if threading.current_thread().name.startswith("claims") and lost:
            lost.pop()
            raise OperationalError("", {}, Exception("the commit was not confirmed"))

    desk = office.dispatcher(office.transport(), begin=no_answer_to_the_first_claim)
    assert desk.send_due(urgent=False, until=10**9) == 0
    assert office.statuses() == [DeliveryStatus.CLAIMED] * 3
    assert desk.send_due(urgent=False, until=10**9) == 3
    assert office.statuses() == [DeliveryStatus.SENT] * 3


NO_MAILBOX = Reply(550, "5.1.1", "User unknown")


@pytest.mark.parametrize("connections", [1, 20])
def test_an_issue_that_too_many_refuse_stops_within_a_few_letters_and_others_go_on(office, connections):
    bad, good = office.owes(300), office.owes(30)
    relay = office.transport(
        lambda message: Outcome.REFUSED if message.delivery in bad else Outcome.TAKEN,
        connections=connections,
        reply=NO_MAILBOX,
    )
    office.rings(relay)
    begun = [message.delivery for message in relay.begun]
    refused = [number for number in begun if number in bad]
    assert 10 <= len(refused) <= 10 + connections
    assert [number for number in begun if number in good] == good
    found = office.deliveries()
    assert {each.status for each in found if each.id in refused} == {DeliveryStatus.FAILED}
    waiting = [each for each in found if each.id in bad and each.id not in refused]
    assert {(each.status, each.carrier_id) for each in waiting} == {(DeliveryStatus.QUEUED, None)}
    with office.begin() as session:
        assert Counter(session.scalars(select(Issue.status))) == {IssueStatus.PAUSED: 1, IssueStatus.SENDING: 1}


def test_where_nothing_is_refused_nothing_is_counted(office, database):
    office.owes(100)
    with executed(database) as statements:
        office.rings()
    assert not [each for each in statements if "acts" in each or "subscriber_id <=" in each]


@pytest.mark.parametrize(("letters", "calls"), [(FIRST - 1, 0), (3 * FIRST, 1)])
def test_others_are_called_once_in_a_ring_where_more_is_due_than_one_claim_takes(office, letters, calls):
    office.owes(letters)
    called = []
    office.dispatcher(office.transport(), more=lambda: called.append(True)).send_due(urgent=False, until=10**9)
    assert len(called) == calls
    assert office.statuses() == [DeliveryStatus.SENT] * letters


@pytest.mark.parametrize("seconds", [0.3, 60])
def test_nobody_waits_for_a_letter_that_the_relay_thinks_about(begin, seconds):
    """Neither when the ring's time is over, nor when nothing else was due when its answer began to be awaited."""
    office = Office(begin)
    office.ticks = time.monotonic
    office.owes(1)
    came = []

    def meanwhile() -> None:
        came.append(seen := office.statuses().count(DeliveryStatus.SENT))
        if seen == len(came) - 1:  # one more comes, and it is not waited for either
            office.owes(1)

    with ScriptedServer({"DOT": [late("250 2.0.0 at last", 4)]}) as server:
        relay = Relay(host=server.host, port=server.port, connections=2)
        with closing(SmtpTransport(relay, ehlo_name="news.example")) as transport, closing(office.heartbeat):
            desk = office.dispatcher(transport)
            recorded = desk.send_due(urgent=False, until=time.monotonic() + seconds, meanwhile=meanwhile)
    assert recorded >= 2
    assert came[0] == 0
    assert max(came) >= 1, "others were sent while the first was under way"
    assert set(office.statuses()) == {DeliveryStatus.SENT}


def test_two_offices_share_the_letters_and_no_reader_gets_two(postgresql_url):
    with closing(opened(postgresql_url)) as database:
        offices = [Office(database.writing) for _ in range(3)]
        offices[0].owes(200)
        transports = [office.transport(connections=4) for office in offices]
        with ThreadPoolExecutor(len(offices)) as crowd:
            list(crowd.map(lambda pair: pair[0].rings(pair[1]), zip(offices, transports, strict=True)))
        got = Counter(address for transport in transports for address in transport.taken)
        assert len(got) == 200
        assert set(got.values()) == {1}
        assert offices[0].statuses() == [DeliveryStatus.SENT] * 200
        for office in offices:
            office.heartbeat.close()


READERS = 8


class History(RuleBasedStateMachine):
    """An issue's life with everything that can happen to it; at every moment the sums are right."""

    def __init__(self, office: Office) -> None:
        super().__init__()
        self.office = office
        self.left: set[str] = set()
        self.arrived: Counter[str] = Counter()
        self.final: dict[int, DeliveryStatus] = {}
        with office.begin() as session:
            session.execute(delete(Delivery))
            newsletter = a_newsletter(session, f"letter{next(NUMBERS)}")
            self.issue = an_issue(session, newsletter).id
            written = a_letter(session, newsletter, issue=session.get_one(Issue, self.issue), audience=READERS)
            self.letter = written[0].id
            self.readers = [a_reader(session, newsletter) for _ in range(READERS)]
            for reader in self.readers:
                a_delivery(session, written, reader, due_at=office.clock())

    @rule(fates=st.lists(st.sampled_from(Outcome), min_size=1, max_size=READERS), connections=st.integers(1, 4))
    def somebody_carries(self, fates, connections):
        remaining = iter(fates)
        left_before = set(self.left)
        transport = self.office.transport(
            lambda _: next(remaining, Outcome.TAKEN), connections=connections, limit=len(fates)
        )
        self.office.rings(transport)
        assert not left_before & {message.recipient for message in transport.begun}
        self.arrived.update(transport.taken)

    @rule(number=st.integers(0, READERS - 1))
    def somebody_leaves(self, number):
        reader = self.readers[number]
        with self.office.begin() as session:
            mine = update(Subscription).where(Subscription.subscriber_id == reader.id)
            session.execute(mine.values(standing=Standing.LEFT))
        self.left.add(reader.address)

    @rule(limit=st.integers(1, READERS))
    def a_carrier_dies_with_letters_in_its_hands(self, limit):
        with self.office.begin() as session:
            dead = a_carrier(session)
            claims.claim(session, dead, limit=limit, urgent=False, key="k1", now=self.office.clock())
        with self.office.begin() as session:
            results.reclaim(session, [dead], now=self.office.clock())

    @rule(minutes=st.sampled_from([1, 10, 120, 60 * 49]))
    def time_passes(self, minutes):
        self.office.clock.pass_(minutes=minutes)

    @rule(status=st.sampled_from([IssueStatus.PAUSED, IssueStatus.SENDING]))
    def the_operator_pauses_or_resumes(self, status):
        self._set(status)

    @precondition(lambda self: len(self.final) > READERS // 2)
    @rule()
    def the_operator_cancels(self):
        self._set(IssueStatus.CANCELLED)

    def _set(self, status: IssueStatus) -> None:
        with self.office.begin() as session:
            mine = update(Issue).where(Issue.id == self.issue, Issue.status != IssueStatus.CANCELLED)
            session.execute(mine.values(status=status))

    @invariant()
    def the_audience_is_the_sum_of_the_states(self):
        with self.office.begin() as session:
            assert sum(sums(session, self.letter).values()) == READERS

    @invariant()
    def what_is_decided_stays_decided(self):
        now = {each.id: each.status for each in self.office.deliveries() if each.status not in OPEN}
        assert self.final.items() <= now.items()
        self.final = now

    @invariant()
    def nobody_holds_a_letter_between_two_rings(self):
        assert DeliveryStatus.CLAIMED not in self.office.statuses()

    @invariant()
    def nobody_gets_it_twice(self):
        assert max(self.arrived.values(), default=0) <= 1

    def teardown(self):
        """In the end every delivery is in one final state, and it is the true one."""
        self._set(IssueStatus.SENDING)
        while set(self.office.statuses()) & set(OPEN):
            transport = self.office.transport()
            self.office.rings(transport)
            self.arrived.update(transport.taken)
            self.office.clock.pass_(hours=3)
        address = {reader.id: reader.address for reader in self.readers}
        for delivery in self.office.deliveries():
            arrived = self.arrived[address[delivery.subscriber_id]]
            assert arrived == (delivery.status is DeliveryStatus.SENT)
            if delivery.status is DeliveryStatus.WITHHELD:
                assert address[delivery.subscriber_id] in self.left
        self.nobody_gets_it_twice()


def test_whatever_happens_the_sums_are_right_and_nobody_gets_a_letter_twice(office, database):
    examples = settings(max_examples=15 if database.is_sqlite else 8, stateful_step_count=15, deadline=None)
    run_state_machine_as_test(lambda: History(office), settings=examples)


def test_what_comes_back_of_a_closed_connection_makes_no_claim_smaller(office):
    office.owes(4 * FIRST)
    closing_now_and_then = office.transport(
        lambda message: Outcome.UNTOUCHED if message.attempt == 1 and message.delivery % 10 == 0 else Outcome.TAKEN,
        seconds=0.001,
    )
    desk = office.dispatcher(closing_now_and_then)
    desk.send_due(urgent=False, until=office.ticks() + 1)
    assert desk.lane(urgent=False).batch_size.size >= FIRST


def test_a_letter_whose_reader_is_named_in_the_reply_is_recorded_without_the_name(office):
    office.owes(1)
    local = []

    def refuse(message: Message) -> Outcome:
        local.append(message.recipient.partition("@")[0])
        relay._reply = Reply(550, "5.1.1", f"{local[0]}... User unknown")
        return Outcome.REFUSED

    relay = office.transport(refuse)
    office.rings(relay)
    assert [each.reply_text for each in office.deliveries()] == ["5.1.1 <address>... User unknown"]
