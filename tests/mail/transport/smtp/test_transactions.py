"""Every reply belongs to its message: transactions with a relay without a socket, whose replies are cut anywhere."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.transactions import FinishedMessage, Transactions
from newsletter.mail.transport.transport import Message, Outcome, Reply
from tests.mail.transport.smtp.scripted_relay import Codes, Relay

TAKEN, REFUSED, LATER, IN_DOUBT, UNTOUCHED = Outcome
GONE = Reply(None, None, "gone")


def a_message(number: int, *, begin_by: float = 60.0) -> Message:
    body = [b"Message-ID: <%d@news.example>\r\n" % number, b"\r\nHello\r\n", b".\r\n"]
    return Message(number, 1, f"b-{number}@bounces.example", f"r-{number}@example.org", body, begin_by)


@dataclass
class Exchange:
    """What was sent and received over one connection, and the outcomes."""

    finished: list[FinishedMessage] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    begun: int = 0
    received: bytes = b""

    @property
    def outcomes(self) -> list[Outcome]:
        return [each.outcome for each in self.finished]


def send(
    relay: Relay,
    messages: int,
    *,
    pieces: tuple[int, ...] = (10**6,),
    closes_after: int | None = None,
    delay: float = 0.0,
) -> Exchange:
    """Send messages over one connection, whose replies arrive in pieces of these sizes and end after so many octets."""
    exchange, now = Exchange(), 0.0
    transactions = Transactions(Extensions(pipelining=relay.pipelining), DotStuffing())
    incoming, position = b"", 0
    while not transactions.ended_by:
        while transactions.can_begin and exchange.begun < messages:
            assert transactions.begin(a_message(exchange.begun)) is None
            exchange.begun += 1
        if group := b"".join(transactions.output(now)):
            exchange.sent.append(group)
            incoming += relay.feed(group)
        if closes_after is not None:
            incoming = incoming[: max(0, closes_after - len(exchange.received))]
        if not incoming:
            break
        size = pieces[position % len(pieces)]
        position, now = position + 1, now + delay
        exchange.received += incoming[:size]
        exchange.finished += transactions.receive(incoming[:size], now)
        incoming = incoming[size:]
    exchange.finished += transactions.connection_lost(transactions.ended_by or GONE, unsent=False)
    return exchange


CODES = {
    "mail": st.sampled_from([250, 250, 250, 451, 550, 421, 503, 354]),
    "rcpt": st.sampled_from([250, 250, 250, 250, 450, 550, 421, 354]),
    "data": st.sampled_from([354, 354, 354, 354, 451, 554, 421]),
    "dot": st.sampled_from([250, 250, 250, 250, 451, 554, 421]),
    "is_multiline": st.booleans(),
    "asks_anyway": st.booleans(),
}
ANY = st.builds(Codes, **CODES)
SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=5).map(tuple)


@settings(max_examples=500)
@given(st.lists(ANY, min_size=1, max_size=12), SIZES, st.none() | st.integers(0, 500), st.booleans(), st.booleans())
def test_whatever_is_replied_cut_and_closed_each_message_has_one_true_outcome(script, sizes, closes, pipelining, slow):
    relay = Relay(dict(enumerate(script)), pipelining=pipelining)
    exchange = send(relay, len(script), pieces=sizes, closes_after=closes, delay=2.0 if slow else 0.0)
    assert [each.message.delivery for each in exchange.finished] == list(range(exchange.begun))
    took = {recipient: (sender, body) for sender, recipient, body in relay.taken}
    assert len(took) == len(relay.taken), "no message twice"
    for message, outcome, _ in exchange.finished:
        if message.recipient in took:
            assert outcome in (TAKEN, IN_DOUBT)
            assert took[message.recipient] == (message.sender, b"".join(message.body)), (
                "under its own sender, as it was"
            )
        else:
            assert outcome is not TAKEN
        if outcome is IN_DOUBT:
            assert closes is not None, "only a closed connection leaves a message in doubt"
    assert not any(relay.unaddressed), "a relay that refused the recipient never receives the letter"


@given(st.lists(ANY, min_size=1, max_size=12), SIZES, st.none() | st.integers(0, 500), st.booleans())
def test_outcomes_do_not_depend_on_how_replies_are_cut(script, sizes, closes, pipelining):
    whole, cut = (
        send(Relay(dict(enumerate(script)), pipelining=pipelining), len(script), pieces=pieces, closes_after=closes)
        for pieces in ((10**6,), sizes)
    )
    assert (whole.finished, whole.sent) == (cut.finished, cut.sent)


CALM = st.builds(
    Codes,
    **CODES
    | {
        "mail": st.sampled_from([250, 250, 451, 550]),
        "rcpt": st.sampled_from([250, 250, 450, 550]),
        "data": st.sampled_from([354, 354, 451, 554]),
        "dot": st.sampled_from([250, 250, 451, 554]),
    },
)


@given(st.lists(CALM, min_size=1, max_size=12), SIZES)
def test_outcomes_are_the_same_with_and_without_pipelining(script, sizes):
    quick, plain = (
        send(Relay(dict(enumerate(script)), pipelining=pipelining), len(script), pieces=sizes)
        for pipelining in (True, False)
    )
    both = min(quick.begun, plain.begun)  # eight refusals in a row end it, and one message may be under way by then
    assert quick.finished[:both] == plain.finished[:both]


@given(st.lists(CALM, min_size=1, max_size=12))
def test_without_pipelining_each_command_waits_for_the_reply_before_it(script):
    relay = Relay(dict(enumerate(script)), pipelining=False)
    for group in send(relay, len(script)).sent:
        assert group.count(b"\r\n") == 1 or group.endswith(b"\r\n.\r\n")
        assert group.count(b"MAIL FROM") + group.count(b"RCPT TO") + group.endswith(b"\r\n.\r\n") <= 1


def run(*script: Codes, messages: int | None = None, pipelining: bool = True, **options) -> tuple[Exchange, Relay]:
    usual = dict.fromkeys(range(100), Codes())
    relay = Relay(usual | dict(enumerate(script)), pipelining=pipelining)
    return send(relay, messages or len(script), **options), relay


def test_with_pipelining_a_message_costs_one_round_trip():
    exchange, relay = run(messages=50)
    assert exchange.outcomes == [TAKEN] * 50
    assert len(exchange.sent) == 50 + 2, "and two more for the first one"
    assert all(group.count(b"MAIL FROM") == 1 for group in exchange.sent[2:-1])
    assert len(relay.taken) == 50


def test_without_pipelining_a_message_costs_four_round_trips():
    exchange, _ = run(messages=50, pipelining=False)
    assert len(exchange.sent) == 4 * 50


def test_if_the_reply_to_a_final_dot_takes_over_a_second_no_envelope_is_sent_ahead():
    exchange, _ = run(messages=5, delay=1.5)
    assert exchange.outcomes == [TAKEN] * 5
    assert not any(b"MAIL FROM" in group for group in exchange.sent if group.startswith(b"Message-ID"))


SENT = Extensions(pipelining=True)
QUICK, ENVELOPE = b"250 taken\r\n", b"250 ok\r\n250 ok\r\n354 go ahead\r\n"


def an_envelope_ahead(*, begin_by: float) -> Transactions:
    """Return transactions that wait for message 1's reply; at 0 they sent its final dot and message 2's envelope."""
    transactions = Transactions(SENT, DotStuffing())
    for number in range(3):
        assert transactions.begin(a_message(number, begin_by=begin_by if number == 2 else 60.0)) is None
        assert transactions.output(0.0)
        if number < 2:
            transactions.receive((QUICK if number else b"") + ENVELOPE, 0.0)
    return transactions


@pytest.mark.parametrize(
    ("answered_at", "begin_by", "begins"),
    [(0.5, 0.2, True), (1.5, 2.0, True), (1.5, 1.4, False), (300.0, 2.0, False)],
)
def test_a_message_whose_envelope_a_stalled_relay_reads_too_late_gets_no_content(answered_at, begin_by, begins):
    transactions = an_envelope_ahead(begin_by=begin_by)
    finished = transactions.receive(QUICK + ENVELOPE, answered_at)
    content = b"".join(transactions.output(answered_at))
    finished += transactions.connection_lost(GONE, unsent=False)
    assert [each.outcome for each in finished] == [TAKEN, IN_DOUBT if begins else UNTOUCHED]
    assert content.startswith(b"Message-ID: <2@") is begins
    assert (transactions.ended_by is GONE) is begins, "hanging up is the only way to withdraw an envelope"


@pytest.mark.parametrize(
    ("first", "outcome", "asks_anyway"),
    [
        (Codes(mail=451), LATER, False),
        (Codes(mail=550), LATER, False),
        (Codes(rcpt=550), REFUSED, False),
        (Codes(rcpt=450), LATER, False),
        (Codes(data=451), LATER, False),
        (Codes(dot=550), REFUSED, False),
        (Codes(rcpt=550, asks_anyway=True), REFUSED, True),
        (Codes(rcpt=450, asks_anyway=True, dot=554), LATER, True),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
def test_after_a_refusal_the_next_group_starts_with_rset(first, outcome, asks_anyway, pipelining):
    exchange, relay = run(first, Codes(), Codes(), pipelining=pipelining)
    assert exchange.outcomes == [outcome, TAKEN, TAKEN]
    sent = b"".join(exchange.sent)
    after_first = sent.partition(b"b-0@bounces.example")[2]
    assert after_first.index(b"RSET\r\n") < after_first.index(b"MAIL FROM"), "or it leaves under the sender before it"
    assert [sender for sender, _, _ in relay.taken] == ["b-1@bounces.example", "b-2@bounces.example"]
    assert relay.unaddressed == ([b""] if asks_anyway and pipelining else [])


def test_a_250_after_an_empty_content_counts_for_no_message():
    exchange, relay = run(Codes(rcpt=550, asks_anyway=True, dot=250), Codes(dot=451), Codes())
    assert relay.unaddressed == [b""]
    assert exchange.outcomes == [REFUSED, LATER, TAKEN]


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("reply", [503, 354])
def test_an_out_of_step_reply_to_mail_leaves_the_message_untouched_and_ends_the_connection(number, reply):
    exchange, _ = run(*[Codes()] * number, Codes(mail=reply), Codes())
    assert exchange.outcomes == [TAKEN] * number + [UNTOUCHED]


@pytest.mark.parametrize("number", [0, 3])
def test_an_out_of_step_reply_to_rcpt_does_the_same(number):
    exchange, relay = run(*[Codes()] * number, Codes(rcpt=354), Codes())
    assert exchange.outcomes == [TAKEN] * number + [UNTOUCHED]
    assert len(relay.taken) == number


def test_354_after_a_refused_sender_ends_the_connection():
    relay = Relay({0: Codes(mail=550)})
    exchange, transactions = Exchange(), Transactions(Extensions(pipelining=True), DotStuffing())
    transactions.begin(a_message(0))
    exchange.sent = transactions.output(0)
    exchange.finished += transactions.receive(b"550 no\r\n250 yes\r\n354 go on\r\n", 0)
    assert transactions.ended_by
    assert transactions.output(0) == []
    exchange.finished += transactions.connection_lost(transactions.ended_by, unsent=False)
    assert exchange.outcomes == [LATER]
    assert exchange.finished[0].reply.code == 550
    assert relay.taken == []


@pytest.mark.parametrize(
    ("reply", "outcome"), [("421 4.3.2 too many letters\r\n", LATER), ("", IN_DOUBT), ("nonsense\r\n", IN_DOUBT)]
)
def test_at_the_final_dot_the_reply_decides_the_message_and_the_next_one_is_untouched(reply, outcome):
    transactions = Transactions(Extensions(pipelining=True), DotStuffing())
    finished: list[FinishedMessage] = []
    transactions.begin(a_message(0))
    transactions.output(0)
    finished += transactions.receive(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    transactions.output(0)
    finished += transactions.receive(b"250 ok\r\n", 0)  # now the relay is known to be quick
    transactions.begin(a_message(1))
    transactions.output(0)
    finished += transactions.receive(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    transactions.begin(a_message(2))
    assert b"".join(transactions.output(0)).endswith(b"DATA\r\n")
    finished += transactions.receive(reply.encode(), 0)
    finished += transactions.connection_lost(transactions.ended_by or GONE, unsent=False)
    assert [each.outcome for each in finished] == [TAKEN, outcome, UNTOUCHED]


def test_if_the_final_dot_has_not_left_the_message_is_not_in_doubt():
    transactions = Transactions(Extensions(pipelining=True), DotStuffing())
    transactions.begin(a_message(0))
    transactions.output(0)
    transactions.receive(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    transactions.output(0)
    assert [each.outcome for each in transactions.connection_lost(GONE, unsent=True)] == [LATER]


def test_if_the_content_was_never_sent_the_message_is_not_in_doubt():
    transactions = Transactions(Extensions(pipelining=True), DotStuffing())
    transactions.begin(a_message(0))
    transactions.output(0)
    transactions.receive(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    assert [each.outcome for each in transactions.connection_lost(GONE, unsent=False)] == [LATER]


def test_no_message_begins_after_eight_refusals_in_a_row():
    exchange, _ = run(*[Codes(rcpt=550)] * 20)
    assert exchange.outcomes == [REFUSED] * 8


def test_a_421_after_several_refusals_is_about_them():
    exchange, _ = run(*[Codes(rcpt=550)] * 5, Codes(mail=421))
    assert exchange.outcomes == [REFUSED] * 5 + [UNTOUCHED]
    exchange, _ = run(Codes(), Codes(mail=421))
    assert exchange.outcomes == [TAKEN, UNTOUCHED], "a limit of messages per connection is not about this one"
    exchange, _ = run(Codes(mail=421))
    assert exchange.outcomes == [LATER], "otherwise it is about us"


def test_an_unsolicited_reply_ends_the_connection():
    transactions = Transactions(Extensions(pipelining=True), DotStuffing())
    assert transactions.receive(b"421 4.4.2 idle for too long\r\n", 0) == []
    assert transactions.ended_by.code == 421


@pytest.mark.parametrize(
    ("extensions", "message", "commands"),
    [
        (Extensions(), {}, "MAIL FROM:<b-7@bounces.example>\r\n"),
        (Extensions(size=True), {}, "MAIL FROM:<b-7@bounces.example> SIZE=42\r\n"),
        (
            Extensions(eight_bits=True),
            {"body": [b"caf\xc3\xa9\r\n"]},
            "MAIL FROM:<b-7@bounces.example> BODY=8BITMIME\r\n",
        ),
        (Extensions(), {"body": [b"caf\xc3\xa9\r\n"]}, "MAIL FROM:<b-7@bounces.example>\r\n"),
        (
            Extensions(eight_bits=True, utf8=True),
            {"recipient": "用户@example.org"},
            "MAIL FROM:<b-7@bounces.example> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<用户@example.org>\r\n",
        ),
        (
            Extensions(dsn=True),
            {"recipient": "a+b=c@example.org"},
            (
                "MAIL FROM:<b-7@bounces.example> RET=HDRS ENVID=7\r\n"
                "RCPT TO:<a+b=c@example.org> NOTIFY=FAILURE ORCPT=rfc822;a+2Bb+3Dc@example.org\r\n"
            ),
        ),
        (
            Extensions(dsn=True, utf8=True),
            {"recipient": "用户@example.org"},
            (
                "MAIL FROM:<b-7@bounces.example> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=7\r\n"
                "RCPT TO:<用户@example.org> NOTIFY=FAILURE\r\n"
            ),
        ),
    ],
)
def test_the_envelope_has_the_parameters_that_the_relay_supports(extensions, message, commands):
    transactions = Transactions(Extensions(**{**vars(extensions), "pipelining": True}), DotStuffing())
    transactions.begin(a_message(7)._replace(**message))
    assert b"".join(transactions.output(0)).startswith(commands.encode())


def test_an_envelope_too_long_to_follow_a_letter_waits_for_the_reply_to_its_final_dot():
    transactions = Transactions(Extensions(pipelining=True), DotStuffing())
    for number in range(2):
        transactions.begin(a_message(number))
        transactions.output(0)
        transactions.receive(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
        if number == 0:
            transactions.output(0)
            transactions.receive(b"250 ok\r\n", 0)
    transactions.begin(a_message(2)._replace(recipient=f"{'x' * 3000}@example.org"))
    assert b"".join(transactions.output(0)).endswith(b"\r\n.\r\n")
    assert transactions.output(0) == []
    transactions.receive(b"250 ok\r\n", 0)
    assert b"".join(transactions.output(0)).startswith(b"MAIL FROM:<b-2@")


def new_transactions(*, pipelining: bool) -> Transactions:
    return Transactions(Extensions(pipelining=pipelining), DotStuffing())


def test_without_pipelining_rset_is_answered_before_the_next_message_is_taken():
    transactions = new_transactions(pipelining=False)
    transactions.begin(a_message(1))
    for reply in (b"250 ok\r\n", b"550 5.1.1 no\r\n"):
        assert transactions.output(0.0)
        finished = transactions.receive(reply, 0.0)
    assert [each.outcome for each in finished] == [REFUSED]
    assert not transactions.can_begin, "its MAIL would wait for the reply to RSET, long after consent was checked"
    assert transactions.output(0.0) == [b"RSET\r\n"]
    assert not transactions.has_message
    transactions.receive(b"250 ok\r\n", 6.0)
    assert transactions.can_begin


def test_a_mail_command_that_waited_too_long_for_a_reply_is_not_sent():
    transactions = new_transactions(pipelining=True)
    transactions.begin(a_message(1))
    transactions.output(0.0)
    transactions.receive(b"250 ok\r\n250 ok\r\n354 go on\r\n", 0.0)
    transactions.output(0.0)
    transactions.receive(b"250 taken\r\n", 0.0)
    transactions.begin(a_message(2))
    transactions.output(0.0)
    transactions.receive(b"250 ok\r\n250 ok\r\n354 go on\r\n", 0.0)
    assert transactions.begin(a_message(3)._replace(sender="b" * 3000)) is None
    assert b"MAIL" not in b"".join(transactions.output(0.0)), "an envelope this long is not sent ahead"
    finished = transactions.receive(b"250 taken\r\n", 61.0)
    assert [each.outcome for each in finished] == [TAKEN, UNTOUCHED]
    assert transactions.output(61.0) == []
    assert transactions.can_begin


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        (b"250 ok\r\n250 ok\r\n250 what content?\r\n", LATER),
        (b"250 ok\r\n250 ok\r\n354 go on\r\n354 go on\r\n", IN_DOUBT),
    ],
)
def test_an_out_of_step_reply_ends_the_connection(replies, outcome):
    transactions, finished = new_transactions(pipelining=True), []
    transactions.begin(a_message(1))
    for line in replies.splitlines(keepends=True):
        transactions.output(0.0)
        finished += transactions.receive(line, 0.0)
    assert transactions.ended_by
    finished += transactions.connection_lost(GONE, unsent=False)
    assert [each.outcome for each in finished] == [outcome]
