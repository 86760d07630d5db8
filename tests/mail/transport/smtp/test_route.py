"""The SMTP transport over real sockets: several relays, failures, and connections that stay open."""

import base64
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

import pytest

from newsletter.content.fetching.fair_clock import fair_seconds
from newsletter.mail.transport.pacing import SteadyPace
from newsletter.mail.transport.smtp.connection import QUIT_TIMEOUT
from newsletter.mail.transport.smtp.relay_health import FIRST_RETRY_SECONDS
from newsletter.mail.transport.smtp.smtp_transport import ENDING_GRACE, SmtpTransport, probe
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.transport import Message, Outcome, Result
from newsletter.relays import Relay
from tests.servers.postfix import running_postfix
from tests.servers.server import free_port
from tests.smtp_server import CLOSE, SILENCE, USUAL, ScriptedServer, SmtpHandler, late
from tests.waiting import TIMEOUT, eventually

TAKEN, REFUSED, LATER, IN_DOUBT, UNTOUCHED = Outcome


def a_message(number: int, **changes) -> Message:
    body = [b"Message-ID: <%d@news.example>\r\n" % number, b"\r\nHello\r\n", b"..\r\n"]
    message = Message(number, 1, f"b-{number}@bounces.example", f"r-{number}@example.org", body, time.monotonic() + 60)
    return message._replace(**changes)


def a_relay(server: ScriptedServer, **changes) -> Relay:
    return Relay(**{"host": server.host, "port": server.port, "connections": 1, **changes})


@contextmanager
def transport_for(*relays: Relay, **options) -> Iterator[SmtpTransport]:
    transport = SmtpTransport(*relays, ehlo_name="news.example", **options)
    try:
        yield transport
    finally:
        transport.close()


def send(transport: SmtpTransport, *letters: int | Message, stop: Callable[[], bool] = lambda: False) -> list[Result]:
    results: list[Result] = []
    messages = (each if isinstance(each, Message) else a_message(each) for each in letters)
    transport.send(messages, results.append, stop=stop)
    return results


def outcomes(results: list[Result]) -> dict[Outcome, int]:
    return dict(Counter(result.outcome for result in results))


def test_a_connection_stays_open_between_calls():
    with ScriptedServer() as server:
        with transport_for(a_relay(server)) as transport:
            for number in range(3):
                assert outcomes(send(transport, number)) == {TAKEN: 1}
            assert "QUIT" not in server.commands
        assert server.connections == 1
        assert server.commands[-1] == "QUIT"


def test_a_connection_that_the_relay_closed_between_calls_is_replaced_before_a_message_is_sent():
    with ScriptedServer() as server, transport_for(a_relay(server)) as transport:
        send(transport, 1)
        server.hang_up()
        assert outcomes(send(transport, 2, 3)) == {TAKEN: 2}
        assert server.connections == 2


def test_an_idle_connection_is_closed_and_none_is_opened_while_nothing_is_due():
    with ScriptedServer() as server, transport_for(a_relay(server), timeouts=Timeouts(idle=0)) as transport:
        send(transport, 1)
        assert send(transport) == []
        for _ in range(3):
            assert send(transport) == []
        assert server.connections == 2, "the second was opened before it was known that nothing is due"
        eventually(lambda: server.commands.count("QUIT") == 2)
        assert outcomes(send(transport, 2)) == {TAKEN: 1}


def test_the_message_taken_to_learn_whether_any_is_due_stays_untouched_if_no_relay_can_be_used():
    with ScriptedServer() as server, transport_for(a_relay(server), timeouts=Timeouts(idle=0)) as transport:
        assert send(transport) == []
        server.always = {"GREETING": "421 4.3.2 busy"}
        assert outcomes(send(transport, 1, 2)) == {UNTOUCHED: 1}
        assert transport.blocking_problem()
        assert send(transport, 1, 2) == [], "once the problem is known no message is taken"


def test_calls_from_several_threads_run_one_after_another():
    with ScriptedServer() as server, transport_for(a_relay(server)) as transport:
        results: list[Result] = []
        threads = [
            threading.Thread(target=lambda first=first: results.extend(send(transport, *range(first, first + 20))))
            for first in (0, 20, 40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(result.delivery for result in results) == list(range(60))
        assert server.connections == 1


def test_several_messages_open_several_connections_and_one_message_opens_one():
    with ScriptedServer() as server, transport_for(a_relay(server, connections=3)) as transport:
        send(transport, 1)
        assert server.connections == 1
        # Each connection keeps a message until the others are open.
        eventually(lambda: send(transport, *range(50)) and server.connections == 3)
        send(transport, *range(50))
        assert server.connections == 3


OFFERS_ALL = ("PIPELINING", "8BITMIME", "SMTPUTF8")
ABROAD = "читатель@example.org"


def test_an_address_outside_ascii_goes_to_the_relay_that_supports_it():
    with ScriptedServer() as narrow, ScriptedServer(offers=OFFERS_ALL) as wide:
        with transport_for(a_relay(narrow, weight=9), a_relay(wide)) as transport:
            eventually(lambda: send(transport, *range(10)) and narrow.letters and wide.letters)
            before = len(narrow.letters)
            letters = [a_message(n, recipient=ABROAD) if n % 5 == 0 else n for n in range(100)]
            assert outcomes(send(transport, *letters)) == {TAKEN: 100}
        assert len(narrow.letters) > before, "the other messages are still divided"
        assert sum("SMTPUTF8" in command for command in wide.commands) == 20


def test_the_last_message_is_handed_over_to_the_relay_that_supports_it():
    with ScriptedServer() as narrow, ScriptedServer(offers=OFFERS_ALL) as wide:
        with transport_for(a_relay(narrow, weight=9), a_relay(wide)) as transport:
            for number in range(5):
                assert outcomes(send(transport, a_message(number, recipient=ABROAD))) == {TAKEN: 1}
        assert not narrow.letters


class SwitchablePace(SteadyPace):
    """A pace that starts to rest when the test says so."""

    is_resting = False

    def delay(self) -> float:
        return 300.0 if self.is_resting else 0.0


def test_an_address_outside_ascii_goes_to_a_free_relay_rather_than_to_a_silent_or_resting_one():
    silent = ScriptedServer(always={"GREETING": SILENCE})
    with (
        ScriptedServer() as narrow,
        silent,
        ScriptedServer(offers=OFFERS_ALL) as resting,
        ScriptedServer(offers=OFFERS_ALL) as free,
    ):
        paces = {resting.port: SwitchablePace(None)}
        relays = [a_relay(narrow, weight=9), a_relay(silent), a_relay(resting), a_relay(free)]
        with transport_for(*relays, pace=lambda relay: paces.get(relay.port, SteadyPace(None))) as transport:
            eventually(lambda: send(transport, *range(60)) and resting.letters and free.letters)
            paces[resting.port].is_resting = True
            abroad = a_message(100, recipient=ABROAD, begin_by=time.monotonic() + TIMEOUT)
            assert outcomes(send(transport, abroad)) == {TAKEN: 1}


class ServerPool(ScriptedServer):
    """Two servers behind one name, used in turn; one of them offers fewer extensions."""

    def __init__(self, *offers: tuple[str, ...]) -> None:
        super().__init__()
        self._turns = cycle(offers)

    @property
    def offers(self) -> tuple[str, ...]:
        """What the next connection is offered."""
        return next(self._turns)

    @property
    def greeted(self) -> int:
        """How many connections have asked for the extensions."""
        return sum(command.startswith("EHLO") for command in self.commands)

    @offers.setter
    def offers(self, _: tuple[str, ...]) -> None:
        """Ignore the base class: the extensions are fixed."""


@pytest.mark.parametrize("offers", [(OFFERS_ALL, OFFERS_ALL[:2]), (OFFERS_ALL[:2], OFFERS_ALL)])
def test_an_address_outside_ascii_is_not_refused_if_some_servers_behind_a_name_support_it(offers):
    with ScriptedServer() as narrow, ServerPool(*offers) as one, ServerPool(*offers) as other:
        relays = [a_relay(narrow), a_relay(one, connections=2), a_relay(other, connections=2)]
        with transport_for(*relays) as transport:
            eventually(lambda: send(transport, *range(50)) and min(one.greeted, other.greeted) >= 2)
            send(transport, *range(50))  # with these, it has read all answers
            abroad = [a_message(100 + n, recipient=ABROAD, begin_by=time.monotonic() + TIMEOUT) for n in range(6)]
            assert REFUSED not in outcomes(send(transport, *abroad))


def test_an_address_outside_ascii_waits_while_a_relay_that_may_support_it_is_away():
    missing = Relay(host="127.0.0.1", port=free_port(), connections=1)
    with ScriptedServer() as narrow, transport_for(a_relay(narrow), missing) as transport:
        send(transport, 1)
        assert outcomes(send(transport, a_message(2, recipient=ABROAD))) == {LATER: 1}


def test_an_address_outside_ascii_is_refused_if_no_relay_supports_it():
    with ScriptedServer() as one, ScriptedServer() as other, transport_for(a_relay(one), a_relay(other)) as transport:
        eventually(lambda: send(transport, *range(10)) and one.letters and other.letters)
        assert outcomes(send(transport, a_message(10, recipient=ABROAD))) == {REFUSED: 1}


class FailingPace(SteadyPace):
    """A pace that rests, and once it breaks raises when it is asked for its connection limit."""

    is_resting = breaks = False

    def delay(self) -> float:
        return 60.0 if self.is_resting else 0.0

    def connection_limit(self, limit: int) -> int:
        if self.breaks:
            raise OSError("no room for a thread")
        return limit


def test_a_message_handed_over_to_a_relay_is_not_sent_in_a_later_call():
    resting = FailingPace(None)
    with ScriptedServer(always={"DOT": late(USUAL["DOT"], 1.0)}) as narrow, ScriptedServer(offers=OFFERS_ALL) as wide:
        paces = {narrow.port: SteadyPace(None), wide.port: resting}
        with transport_for(a_relay(narrow), a_relay(wide), pace=lambda relay: paces[relay.port]) as transport:
            eventually(lambda: send(transport, *range(4)) and narrow.letters and wide.letters)
            resting.is_resting = True

            def letters() -> Iterator[Message]:
                yield a_message(20, recipient=ABROAD)
                resting.breaks = True  # once the narrow relay has taken one message and handed it over
                yield a_message(21)
                yield a_message(22)

            results: list[Result] = []
            with pytest.raises(OSError, match="no room"):
                transport.send(letters(), results.append, stop=lambda: False)
            resting.is_resting = resting.breaks = False
            assert {result.delivery: result.outcome for result in results}[20] is UNTOUCHED
            assert {result.delivery for result in send(transport, 30, 31)} == {30, 31}
        assert not any("b-20@" in command for command in wide.commands)


def test_the_problem_is_lasting_only_if_that_of_each_relay_is():
    broken = ScriptedServer(always={"GREETING": "554 5.7.1 go away"})
    passing = ScriptedServer({"GREETING": ["220 relay.test ESMTP"]}, always={"GREETING": "421 4.3.2 restarting"})
    with broken, passing:
        with transport_for(a_relay(broken), a_relay(passing)) as transport:
            send(transport, 1)
            assert transport.blocking_problem() is None
            passing.hang_up()
            send(transport, 2)
            problem = transport.blocking_problem()
        assert problem
        assert "554" in problem.reason
        assert not problem.lasting
        with transport_for(a_relay(broken)) as transport:
            send(transport, 1)
            alone = transport.blocking_problem()
        assert alone
        assert alone.lasting


def test_messages_are_divided_by_weight():
    with ScriptedServer() as one, ScriptedServer() as three:
        with transport_for(a_relay(one, weight=1), a_relay(three, weight=3)) as transport:
            eventually(lambda: send(transport, 1) and one.letters and three.letters)
            before = len(one.letters), len(three.letters)
            assert outcomes(send(transport, *range(200))) == {TAKEN: 200}
        share = len(one.letters) - before[0], len(three.letters) - before[1]
        assert share[0] == pytest.approx(50, abs=5)
        assert share[1] == pytest.approx(150, abs=5)


def test_a_relay_at_its_rate_delays_no_other():
    with ScriptedServer() as slow, ScriptedServer() as quick:
        with transport_for(a_relay(slow, rate=1), a_relay(quick)) as transport:
            begun = time.monotonic()
            assert outcomes(send(transport, *range(100))) == {TAKEN: 100}
        assert len(slow.letters) <= time.monotonic() - begun + 2
        assert len(slow.letters) + len(quick.letters) == 100


@pytest.mark.parametrize("greeting", ["421 4.3.2 busy", "554 5.7.1 go away", CLOSE])
def test_a_working_relay_takes_over_from_a_broken_one(greeting):
    with ScriptedServer(always={"GREETING": greeting}) as broken, ScriptedServer() as sound:
        with transport_for(a_relay(broken), a_relay(sound)) as transport:
            sent: list[Result] = []
            begun = time.monotonic()
            # Until the broken relay has been tried, however busy the machine is.
            eventually(lambda: sent.extend(send(transport, *range(20))) or transport.problems())
            assert set(outcomes(sent)) == {TAKEN}
            assert transport.blocking_problem() is None, "messages can be sent"
            assert len(transport.problems()) == 1, "although one relay cannot be used"
        assert 1 <= broken.connections <= 1 + (time.monotonic() - begun) / FIRST_RETRY_SECONDS
        assert len(sound.letters) == len(sent)
        assert len(sent) % 20 == 0, "each message is taken"


def test_during_the_back_off_no_connection_is_tried_and_no_message_is_taken(caplog):
    caplog.set_level(logging.WARNING)
    with ScriptedServer(always={"GREETING": "421 4.3.2 busy"}) as server, transport_for(a_relay(server)) as transport:
        begun = time.monotonic()
        for _ in range(20):
            assert send(transport, 1) == []
        assert 1 <= server.connections <= 1 + (time.monotonic() - begun) / FIRST_RETRY_SECONDS
        assert transport.blocking_problem().reason == "the relay does not let us in: 421 4.3.2 busy"
        assert len([record for record in caplog.records if "cannot be used" in record.message]) == 1


def test_an_unknown_host_name_is_not_a_lasting_problem():
    """A container that is restarting has no name meanwhile."""
    problem = probe(Relay(host="relay.invalid", port=25), ehlo_name="news.example")
    assert not problem.lasting
    assert problem.reason.startswith("its name cannot be found")


def test_a_relay_that_never_greets_is_a_problem_after_the_timeout():
    with ScriptedServer({"GREETING": [SILENCE]}) as server:
        problem = probe(a_relay(server), ehlo_name="news.example", timeouts=Timeouts(greeting=0.2))
    assert problem.reason == "the relay did not answer in time"
    assert not problem.lasting


def test_stop_ends_the_wait_for_a_greeting():
    with ScriptedServer({"GREETING": [SILENCE]}) as server, transport_for(a_relay(server)) as transport:
        begun = time.monotonic()
        assert send(transport, 1, stop=lambda: time.monotonic() > begun + 0.3) == []
        assert time.monotonic() - begun < 30


def test_after_stop_the_reply_to_a_final_dot_is_still_awaited():
    with ScriptedServer({"DOT": ["LATE 0.5 250 2.0.0 at last"]}) as server, transport_for(a_relay(server)) as transport:
        taken: list[int] = []

        def messages() -> Iterator[Message]:
            for number in range(10):
                taken.append(number)
                yield a_message(number)

        results: list[Result] = []
        transport.send(messages(), results.append, stop=lambda: bool(taken))
        assert outcomes(results) == {TAKEN: 1}
        assert taken == [0]


class PaceThatFails(SteadyPace):
    """Raises at the fourth call: in the middle of a session."""

    calls = 0

    def connection_limit(self, limit: int) -> int:
        self.calls += 1
        if self.calls >= 4:
            raise OSError("no room for a thread")
        return limit


def test_after_any_error_the_call_ends_and_raises_it():
    results: list[Result] = []
    with (
        ScriptedServer({"DOT": [SILENCE]}) as server,
        transport_for(a_relay(server), pace=lambda _: PaceThatFails(None)) as transport,
        pytest.raises(OSError, match="no room"),
    ):
        transport.send(iter([a_message(1)]), results.append, stop=lambda: False)
    assert len(results) == 1


def test_messages_under_way_are_reported_before_an_ending_process_is_killed():
    with ScriptedServer({"DOT": [SILENCE]}) as server:
        ending = threading.Event()
        with transport_for(a_relay(server), ending=ending.is_set) as transport:
            begun, begun_fairly = time.monotonic(), fair_seconds()
            threading.Timer(0.2, ending.set).start()
            assert outcomes(send(transport, 1, stop=ending.is_set)) == {IN_DOUBT: 1}
    assert time.monotonic() - begun > ENDING_GRACE
    assert fair_seconds() - begun_fairly < 8  # it is killed after ten


def test_no_message_waits_for_the_reply_to_quit_on_an_old_connection():
    with (
        ScriptedServer(always={"QUIT": SILENCE}) as server,
        transport_for(a_relay(server), timeouts=Timeouts(idle=0)) as transport,
    ):
        send(transport, 1)
        begun = fair_seconds()
        assert outcomes(send(transport, 2)) == {TAKEN: 1}
        assert fair_seconds() - begun < QUIT_TIMEOUT


def test_a_message_behind_a_relay_that_stalls_is_not_begun_too_late_and_leaves_over_another_connection():
    with ScriptedServer({"DOT": [USUAL["DOT"], late(USUAL["DOT"], 1.5)]}) as server:
        with transport_for(a_relay(server)) as transport:
            results = send(transport, 1, 2, a_message(3, begin_by=time.monotonic() + 1), 4)
        assert {each.delivery: each.outcome for each in results} == {1: TAKEN, 2: TAKEN, 3: UNTOUCHED, 4: TAKEN}
        assert [letter.sender for letter in server.letters] == [f"b-{n}@bounces.example" for n in (1, 2, 4)]
        assert server.connections == 2
    assert not transport.problems(), "a relay that is slow once can be used"


def test_no_envelope_waits_in_our_buffer_behind_content_that_a_stalled_relay_does_not_read():
    def stall(handler: SmtpHandler) -> bytes:
        if len(handler.server.letters) == 1:
            threading.Event().wait(1.5)
        return SmtpHandler.content(handler)

    with ScriptedServer() as server:
        server.RequestHandlerClass = type("Stalling", (SmtpHandler,), {"content": stall})
        large = a_message(2, body=[b"Subject: large\r\n\r\n", (b"y" * 70 + b"\r\n") * 300_000])
        with transport_for(a_relay(server)) as transport:
            results = send(transport, 1, large, a_message(3, begin_by=time.monotonic() + 1))
        assert {each.delivery: each.outcome for each in results} == {1: TAKEN, 2: TAKEN, 3: UNTOUCHED}
        assert sum(command.startswith("MAIL") for command in server.commands) == 2


def test_a_reply_that_never_ends_times_out():
    def dribble(handler: SmtpHandler, _: str) -> None:
        while True:
            handler.wfile.write(b"2")
            time.sleep(0.05)

    with ScriptedServer() as server:
        server.RequestHandlerClass = type("Dribbling", (SmtpHandler,), {"rcpt": dribble})
        with transport_for(a_relay(server), timeouts=Timeouts(command=3)) as transport:
            results = send(transport, 1)
    assert [result.reply.text for result in results] == ["the relay did not answer in time"]


def test_a_reply_injected_before_tls_ends_the_connection(server_tls, certificate):
    """An attacker between client and relay injects a reply before the encryption starts (CVE-2011-0411)."""
    script = {"STARTTLS": ["220 go ahead\r\n250 2.0.0 injected"]}
    with ScriptedServer(script, tls=server_tls, offers=["STARTTLS"]) as server:
        problem = probe(Relay(host="localhost", port=server.port), ehlo_name="news.example")
    assert problem.reason == "the relay speaks before it is asked"


def test_auth_login_is_used_if_plain_is_not_offered(server_tls):
    name, word = (base64.b64encode(each).decode() for each in (b"news", b"open sesame"))
    script = {"AUTH": ["334 VXNlcm5hbWU6"], name.upper(): ["334 UGFzc3dvcmQ6"], word.upper(): ["235 2.7.0 welcome"]}
    with ScriptedServer(script, tls=server_tls, tls_from_start=True, offers=["AUTH LOGIN"]) as server:
        relay = Relay(host="localhost", port=server.port, scheme="smtps", user="news", password="open sesame")
        with transport_for(relay) as transport:
            assert outcomes(send(transport, 1)) == {TAKEN: 1}
        assert server.commands[:4] == ["EHLO news.example", "AUTH LOGIN", name.upper(), word.upper()]


@pytest.mark.parametrize("pipelining", [True, False])
def test_each_letter_is_taken_under_its_own_sender_while_one_in_ten_is_refused(pipelining):
    """Send 2,000 letters over several connections, and compare envelope and Message-ID on the server."""
    refused = {f"r-{number}@example.org": "550 5.1.1 user unknown" for number in range(0, 2000, 10)}
    offers = ["PIPELINING"] if pipelining else []
    with (
        ScriptedServer(refused=refused, offers=offers) as server,
        transport_for(a_relay(server, connections=5)) as transport,
    ):
        results = send(transport, *range(2000))
    assert outcomes(results) == {TAKEN: 1800, REFUSED: 200}
    assert {result.delivery for result in results if result.outcome is REFUSED} == set(range(0, 2000, 10))
    assert len(server.letters) == 1800
    for letter in server.letters:
        number = letter.body.split(b"@")[0].removeprefix(b"Message-ID: <").decode()
        assert (letter.sender, letter.recipients) == (f"b-{number}@bounces.example", (f"r-{number}@example.org",))
        assert letter.body == b"".join(a_message(int(number)).body)


@pytest.mark.slow
@pytest.mark.smtp
def test_each_letter_goes_through_a_real_postfix_under_its_own_sender_while_one_in_ten_is_refused():
    """Postfix refuses by `check_recipient_access`, and relays what it takes to a scripted server."""
    gone = range(0, 300, 10)
    refused = [f"r-{number}@example.org" for number in gone]
    with ScriptedServer() as archive, running_postfix(refused=refused, next_hop=archive.port) as relay:
        with transport_for(Relay(host=relay.host, port=relay.port, connections=4)) as transport:
            results = send(transport, *range(300))
        assert outcomes(results) == {TAKEN: 270, REFUSED: 30}
        assert [r.delivery for r in sorted(results) if r.outcome is REFUSED] == list(gone)
        assert {r.reply.status for r in results} == {"2.0.0", "5.1.1"}
        letters = eventually(lambda: archive.letters if len(archive.letters) >= 270 else [])
    for letter in letters:
        number = letter.body.partition(b"Message-ID: <")[2].split(b"@")[0].decode()
        assert (letter.sender, letter.recipients) == (f"b-{number}@bounces.example", (f"r-{number}@example.org",))
        assert letter.body.endswith(b"\r\n\r\nHello\r\n..\r\n")
    assert len({letter.sender for letter in letters}) == len(letters) == 270
