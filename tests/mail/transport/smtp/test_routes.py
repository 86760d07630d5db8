"""Several relays, trouble, warm connections: the SMTP postman over real sockets."""

import base64
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from newsletter.mail.transport.pacing import SteadyPace
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport, probe
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.transport import Message, Outcome, Result
from newsletter.relays import Relay
from tests.servers.postfix import running_postfix
from tests.servers.server import free_port
from tests.smtp_server import CLOSE, SILENCE, USUAL, Conversation, ScriptedServer, late
from tests.waiting import eventually

TAKEN, REFUSED, LATER, IN_DOUBT, UNTOUCHED = Outcome


def a_parcel(number: int, **changes) -> Message:
    body = [b"Message-ID: <%d@news.example>\r\n" % number, b"\r\nHello\r\n", b"..\r\n"]
    message = Message(number, 1, f"b-{number}@bounces.example", f"r-{number}@example.org", body, time.monotonic() + 60)
    return message._replace(**changes)


def a_relay(server: ScriptedServer, **changes) -> Relay:
    return Relay(**{"host": server.host, "port": server.port, "connections": 1, **changes})


@contextmanager
def postman_for(*relays: Relay, **given) -> Iterator[SmtpTransport]:
    transport = SmtpTransport(*relays, ehlo_name="news.example", **given)
    try:
        yield transport
    finally:
        transport.close()


def carry(transport: SmtpTransport, *letters: int | Message, stop: Callable[[], bool] = lambda: False) -> list[Result]:
    reports: list[Result] = []
    messages = (each if isinstance(each, Message) else a_parcel(each) for each in letters)
    transport.carry(messages, reports.append, stop=stop)
    return reports


def fates(reports: list[Result]) -> dict[Outcome, int]:
    return dict(Counter(report.outcome for report in reports))


def test_a_connection_stays_open_from_one_carry_to_the_next():
    with ScriptedServer() as server:
        with postman_for(a_relay(server)) as transport:
            for number in range(3):
                assert fates(carry(transport, number)) == {TAKEN: 1}
            assert "QUIT" not in server.commands
        assert server.connections == 1
        assert server.commands[-1] == "QUIT"


def test_a_connection_that_the_relay_closed_meanwhile_is_replaced_before_a_letter_is_risked():
    with ScriptedServer() as server, postman_for(a_relay(server)) as transport:
        carry(transport, 1)
        server.hang_up()
        assert fates(carry(transport, 2, 3)) == {TAKEN: 2}
        assert server.connections == 2


def test_a_connection_that_has_long_carried_nothing_is_parted_with_and_none_is_opened_for_nothing():
    with ScriptedServer() as server, postman_for(a_relay(server), patience=Timeouts(idle=0)) as transport:
        carry(transport, 1)
        assert carry(transport) == []
        for _ in range(3):
            assert carry(transport) == []
        assert server.connections == 2, "the second was opened before it was known that there is nothing"
        eventually(lambda: server.commands.count("QUIT") == 2)
        assert fates(carry(transport, 2)) == {TAKEN: 1}


def test_the_letter_that_was_pulled_to_know_goes_back_untouched_where_no_relay_can_be_used():
    with ScriptedServer() as server, postman_for(a_relay(server), patience=Timeouts(idle=0)) as transport:
        assert carry(transport) == []
        server.always = {"GREETING": "421 4.3.2 busy"}
        assert fates(carry(transport, 1, 2)) == {UNTOUCHED: 1}
        assert transport.trouble()
        assert carry(transport, 1, 2) == [], "now that it is known none is pulled"


def test_carries_from_several_threads_take_turns():
    with ScriptedServer() as server, postman_for(a_relay(server)) as transport:
        told: list[Result] = []
        threads = [
            threading.Thread(target=lambda first=first: told.extend(carry(transport, *range(first, first + 20))))
            for first in (0, 20, 40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(report.delivery for report in told) == list(range(60))
        assert server.connections == 1


def test_more_letters_open_more_connections_and_one_letter_opens_one():
    with ScriptedServer() as server, postman_for(a_relay(server, connections=3)) as transport:
        carry(transport, 1)
        assert server.connections == 1
        # Each of the three keeps a letter until the others are there.
        eventually(lambda: carry(transport, *range(50)) and server.connections == 3)
        carry(transport, *range(50))
        assert server.connections == 3


OFFERS_ALL = ("PIPELINING", "8BITMIME", "SMTPUTF8")
ABROAD = "читатель@example.org"


def test_an_address_outside_ascii_goes_to_the_relay_that_takes_it():
    with ScriptedServer() as narrow, ScriptedServer(offers=OFFERS_ALL) as wide:
        with postman_for(a_relay(narrow, weight=9), a_relay(wide)) as transport:
            letters = [a_parcel(n, recipient=ABROAD) if n % 5 == 0 else n for n in range(40)]
            assert fates(carry(transport, *letters)) == {TAKEN: 40}
        assert narrow.letters, "the other letters are still divided"
        assert sum("SMTPUTF8" in command for command in wide.commands) == 8


def test_the_last_letter_is_not_given_back_because_it_is_for_another_relay_than_the_one_that_pulled_it():
    with ScriptedServer() as narrow, ScriptedServer(offers=OFFERS_ALL) as wide:
        with postman_for(a_relay(narrow, weight=9), a_relay(wide)) as transport:
            for number in range(5):
                assert fates(carry(transport, a_parcel(number, recipient=ABROAD))) == {TAKEN: 1}
        assert not narrow.letters


class Tiring(SteadyPace):
    """The pace of a relay that is to be left alone from some moment on."""

    is_tired = False

    def delay(self) -> float:
        return 300.0 if self.is_tired else 0.0


def test_an_address_outside_ascii_goes_to_a_relay_that_is_free_rather_than_to_one_that_is_silent_or_left_alone():
    silent = ScriptedServer(always={"GREETING": SILENCE})
    with (
        ScriptedServer() as narrow,
        silent,
        ScriptedServer(offers=OFFERS_ALL) as tired,
        ScriptedServer(offers=OFFERS_ALL) as free,
    ):
        paces = {tired.port: Tiring(None)}
        relays = [a_relay(narrow, weight=9), a_relay(silent), a_relay(tired), a_relay(free)]
        with postman_for(*relays, pace=lambda relay: paces.get(relay.port, SteadyPace(None))) as transport:
            carry(transport, *range(60))
            assert tired.letters
            assert free.letters
            paces[tired.port].is_tired = True
            abroad = a_parcel(100, recipient=ABROAD, begin_by=time.monotonic() + 5)
            assert fates(carry(transport, abroad)) == {TAKEN: 1}


class Pool(ScriptedServer):
    """Several servers of one name: each connection is with the next of two, and one of them offers less."""

    def __init__(self, *offers: tuple[str, ...]) -> None:
        super().__init__()
        self._each = offers

    @property
    def offers(self) -> tuple[str, ...]:
        return self._each[self.connections % 2]

    @offers.setter
    def offers(self, _: tuple[str, ...]) -> None:
        """They are what they are."""


@pytest.mark.parametrize("offers", [(OFFERS_ALL, OFFERS_ALL[:2]), (OFFERS_ALL[:2], OFFERS_ALL)])
def test_an_address_outside_ascii_is_not_refused_where_some_servers_of_one_name_take_it(offers):
    with ScriptedServer() as narrow, Pool(*offers) as one, Pool(*offers) as other:
        relays = [a_relay(narrow), a_relay(one, connections=2), a_relay(other, connections=2)]
        with postman_for(*relays) as transport:
            eventually(lambda: carry(transport, *range(50)) and min(one.connections, other.connections) >= 2)
            abroad = [a_parcel(100 + n, recipient=ABROAD, begin_by=time.monotonic() + 5) for n in range(6)]
            assert REFUSED not in fates(carry(transport, *abroad))


def test_an_address_outside_ascii_waits_while_a_relay_that_may_take_it_is_away():
    nobody = Relay(host="127.0.0.1", port=free_port(), connections=1)
    with ScriptedServer() as narrow, postman_for(a_relay(narrow), nobody) as transport:
        carry(transport, 1)
        assert fates(carry(transport, a_parcel(2, recipient=ABROAD))) == {LATER: 1}


def test_an_address_outside_ascii_is_refused_where_no_relay_takes_it():
    with ScriptedServer() as one, ScriptedServer() as other, postman_for(a_relay(one), a_relay(other)) as transport:
        eventually(lambda: carry(transport, *range(10)) and one.letters and other.letters)
        assert fates(carry(transport, a_parcel(10, recipient=ABROAD))) == {REFUSED: 1}


class Resting(SteadyPace):
    """The pace of a relay that is left alone, and breaks when it is asked how many may come."""

    is_resting = False

    def delay(self) -> float:
        return 60.0 if self.is_resting else 0.0

    def seats(self, most: int) -> int:
        if self.is_resting and time.monotonic() > self.breaks_at:
            raise OSError("no room for a thread")
        return most

    def rest(self) -> None:
        self.is_resting, self.breaks_at = True, time.monotonic() + 0.3


def test_what_is_set_aside_for_a_relay_is_nobodys_letter_in_a_later_round():
    resting = Resting(None)
    with ScriptedServer(always={"DOT": late(USUAL["DOT"], 1.0)}) as narrow, ScriptedServer(offers=OFFERS_ALL) as wide:
        paces = {narrow.port: SteadyPace(None), wide.port: resting}
        with postman_for(a_relay(narrow), a_relay(wide), pace=lambda relay: paces[relay.port]) as transport:
            carry(transport, *range(4))
            resting.rest()
            reports: list[Result] = []
            letters = iter([a_parcel(20, recipient=ABROAD), a_parcel(21), a_parcel(22)])
            with pytest.raises(OSError, match="no room"):
                transport.carry(letters, reports.append, stop=lambda: False)
            resting.is_resting = False
            assert {report.delivery: report.outcome for report in reports}[20] is UNTOUCHED
            assert {report.delivery for report in carry(transport, 30, 31)} == {30, 31}
        assert not any("b-20@" in command for command in wide.commands)


def test_a_relay_that_is_lost_for_good_makes_the_others_trouble_no_more_lasting():
    broken = ScriptedServer(always={"GREETING": "554 5.7.1 go away"})
    passing = ScriptedServer({"GREETING": ["220 relay.test ESMTP"]}, always={"GREETING": "421 4.3.2 restarting"})
    with broken, passing:
        with postman_for(a_relay(broken), a_relay(passing)) as transport:
            carry(transport, 1)
            assert transport.trouble() is None
            passing.hang_up()
            carry(transport, 2)
            trouble = transport.trouble()
        assert trouble
        assert "554" in trouble.says
        assert not trouble.lasting
        with postman_for(a_relay(broken)) as transport:
            carry(transport, 1)
            alone = transport.trouble()
        assert alone
        assert alone.lasting


def test_letters_are_divided_by_weight():
    with ScriptedServer() as one, ScriptedServer() as three:
        with postman_for(a_relay(one, weight=1), a_relay(three, weight=3)) as transport:
            eventually(lambda: carry(transport, 1) and one.letters and three.letters)
            before = len(one.letters), len(three.letters)
            assert fates(carry(transport, *range(200))) == {TAKEN: 200}
        share = len(one.letters) - before[0], len(three.letters) - before[1]
        assert share[0] == pytest.approx(50, abs=5)
        assert share[1] == pytest.approx(150, abs=5)


def test_a_relay_at_its_rate_holds_up_no_other():
    with ScriptedServer() as slow, ScriptedServer() as quick:
        with postman_for(a_relay(slow, rate=1), a_relay(quick)) as transport:
            begun = time.monotonic()
            assert fates(carry(transport, *range(100))) == {TAKEN: 100}
        assert len(slow.letters) <= time.monotonic() - begun + 2
        assert len(slow.letters) + len(quick.letters) == 100


@pytest.mark.parametrize("greeting", ["421 4.3.2 busy", "554 5.7.1 go away", CLOSE])
def test_a_relay_that_works_takes_over_from_one_that_does_not(greeting):
    with ScriptedServer(always={"GREETING": greeting}) as broken, ScriptedServer() as sound:
        with postman_for(a_relay(broken), a_relay(sound)) as transport:
            assert fates(carry(transport, *range(20))) == {TAKEN: 20}
            assert transport.trouble() is None, "letters leave"
            assert len(transport.problems()) == 1, "and one way is closed all the same"
        assert broken.connections == 1
        assert len(sound.letters) == 20


def test_while_a_relay_rests_it_is_left_alone_and_nothing_is_pulled(caplog):
    caplog.set_level(logging.WARNING)
    with ScriptedServer(always={"GREETING": "421 4.3.2 busy"}) as server, postman_for(a_relay(server)) as transport:
        begun = time.monotonic()
        for _ in range(20):
            assert carry(transport, 1) == []
        if time.monotonic() - begun < 1:
            assert server.connections == 1
        assert transport.trouble().says == "the relay does not let us in: 421 4.3.2 busy"
        assert len([record for record in caplog.records if "cannot be used" in record.message]) == 1


def test_a_host_whose_name_nobody_knows_may_be_known_in_a_moment():
    """A container that starts again has no name meanwhile."""
    trouble = probe(Relay(host="relay.invalid", port=25), ehlo_name="news.example")
    assert not trouble.lasting
    assert trouble.says.startswith("its name cannot be found")


def test_a_relay_that_never_greets_is_trouble_in_time():
    with ScriptedServer({"GREETING": [SILENCE]}) as server:
        trouble = probe(a_relay(server), ehlo_name="news.example", patience=Timeouts(greeting=0.2))
    assert trouble.says == "the relay did not answer in time"
    assert not trouble.lasting


def test_when_it_is_to_stop_a_relay_that_does_not_greet_is_not_waited_for():
    with ScriptedServer({"GREETING": [SILENCE]}) as server, postman_for(a_relay(server)) as transport:
        begun = time.monotonic()
        assert carry(transport, 1, stop=lambda: time.monotonic() > begun + 0.3) == []
        assert time.monotonic() - begun < 30


def test_a_letter_whose_verdict_is_awaited_when_it_is_to_stop_is_waited_for():
    with ScriptedServer({"DOT": ["LATE 0.5 250 2.0.0 at last"]}) as server, postman_for(a_relay(server)) as transport:
        pulled: list[int] = []

        def messages() -> Iterator[Message]:
            for number in range(10):
                pulled.append(number)
                yield a_parcel(number)

        reports: list[Result] = []
        transport.carry(messages(), reports.append, stop=lambda: bool(pulled))
        assert fates(reports) == {TAKEN: 1}
        assert pulled == [0]


class FaultyPace(SteadyPace):
    """Breaks when it is asked for the fourth time: in the middle of a round."""

    asked = 0

    def seats(self, most: int) -> int:
        self.asked += 1
        if self.asked >= 4:
            raise OSError("no room for a thread")
        return most


def test_whatever_breaks_in_the_middle_the_round_ends_and_complains():
    reports: list[Result] = []
    with (
        ScriptedServer({"DOT": [SILENCE]}) as server,
        postman_for(a_relay(server), pace=lambda _: FaultyPace(None)) as transport,
        pytest.raises(OSError, match="no room"),
    ):
        transport.carry(iter([a_parcel(1)]), reports.append, stop=lambda: False)
    assert len(reports) == 1


def test_letters_under_way_are_given_up_before_a_process_that_has_to_end_is_killed():
    with ScriptedServer({"DOT": [SILENCE]}) as server:
        told = threading.Event()
        with postman_for(a_relay(server), ending=told.is_set) as transport:
            begun = time.monotonic()
            threading.Timer(0.2, told.set).start()
            assert fates(carry(transport, 1, stop=told.is_set)) == {IN_DOUBT: 1}
    assert 5 < time.monotonic() - begun < 8


def test_no_letter_waits_for_the_good_bye_of_an_old_connection():
    with (
        ScriptedServer(always={"QUIT": SILENCE}) as server,
        postman_for(a_relay(server), patience=Timeouts(idle=0)) as transport,
    ):
        carry(transport, 1)
        begun = time.monotonic()
        assert fates(carry(transport, 2)) == {TAKEN: 1}
        assert time.monotonic() - begun < 1.5


def test_a_reply_that_never_ends_is_no_answer():
    def dribble(conversation: Conversation, _: str) -> None:
        while True:
            conversation.wfile.write(b"2")
            time.sleep(0.05)

    with ScriptedServer() as server:
        server.RequestHandlerClass = type("Dribbling", (Conversation,), {"rcpt": dribble})
        with postman_for(a_relay(server), patience=Timeouts(command=0.5)) as transport:
            reports = carry(transport, 1)
    assert [report.reply.text for report in reports] == ["the relay did not answer in time"]


def test_words_before_the_handshake_are_nobodys(theirs, certificate):
    """Whoever stands between slips in a reply before the encryption begins (CVE-2011-0411)."""
    script = {"STARTTLS": ["220 go ahead\r\n250 2.0.0 injected"]}
    with ScriptedServer(script, tls=theirs, offers=["STARTTLS"]) as server:
        trouble = probe(Relay(host="localhost", port=server.port), ehlo_name="news.example")
    assert trouble.says == "the relay speaks before it is asked"


def test_login_is_asked_for_in_two_steps_where_plain_is_not_offered(theirs):
    name, word = (base64.b64encode(said).decode() for said in (b"news", b"open sesame"))
    script = {"AUTH": ["334 VXNlcm5hbWU6"], name.upper(): ["334 UGFzc3dvcmQ6"], word.upper(): ["235 2.7.0 welcome"]}
    with ScriptedServer(script, tls=theirs, tls_from_start=True, offers=["AUTH LOGIN"]) as server:
        relay = Relay(host="localhost", port=server.port, scheme="smtps", user="news", password="open sesame")
        with postman_for(relay) as transport:
            assert fates(carry(transport, 1)) == {TAKEN: 1}
        assert server.commands[:4] == ["EHLO news.example", "AUTH LOGIN", name.upper(), word.upper()]


@pytest.mark.parametrize("pipelining", [True, False])
def test_each_letter_is_accepted_under_its_own_sender_while_one_in_ten_is_refused(pipelining):
    """2,000 letters over several connections; what the server wrote down is envelope and Message-ID."""
    refused = {f"r-{number}@example.org": "550 5.1.1 user unknown" for number in range(0, 2000, 10)}
    offers = ["PIPELINING"] if pipelining else []
    with (
        ScriptedServer(refused=refused, offers=offers) as server,
        postman_for(a_relay(server, connections=5)) as transport,
    ):
        reports = carry(transport, *range(2000))
    assert fates(reports) == {TAKEN: 1800, REFUSED: 200}
    assert {report.delivery for report in reports if report.outcome is REFUSED} == set(range(0, 2000, 10))
    assert len(server.letters) == 1800
    for letter in server.letters:
        number = letter.body.split(b"@")[0].removeprefix(b"Message-ID: <").decode()
        assert (letter.sender, letter.recipients) == (f"b-{number}@bounces.example", (f"r-{number}@example.org",))
        assert letter.body == b"".join(a_parcel(int(number)).body)


@pytest.mark.smtp
def test_each_letter_goes_through_a_real_postfix_under_its_own_sender_while_one_in_ten_is_refused():
    """Postfix refuses by `check_recipient_access`; what it took it hands on to a server that writes it down."""
    gone = range(0, 300, 10)
    refused = [f"r-{number}@example.org" for number in gone]
    with ScriptedServer() as archive, running_postfix(refused=refused, next_hop=archive.port) as relay:
        with postman_for(Relay(host=relay.host, port=relay.port, connections=4)) as transport:
            reports = carry(transport, *range(300))
        assert fates(reports) == {TAKEN: 270, REFUSED: 30}
        assert [r.delivery for r in sorted(reports) if r.outcome is REFUSED] == list(gone)
        assert {r.reply.status for r in reports} == {"2.0.0", "5.1.1"}
        letters = eventually(lambda: archive.letters if len(archive.letters) >= 270 else [], within=60)
    for letter in letters:
        number = letter.body.partition(b"Message-ID: <")[2].split(b"@")[0].decode()
        assert (letter.sender, letter.recipients) == (f"b-{number}@bounces.example", (f"r-{number}@example.org",))
        assert letter.body.endswith(b"\r\n\r\nHello\r\n..\r\n")
    assert len({letter.sender for letter in letters}) == len(letters) == 270
