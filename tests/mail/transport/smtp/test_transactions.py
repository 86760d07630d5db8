"""Every reply belongs to its letter: the state machine against a relay without a socket, cut and closed anywhere."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.transactions import Decision, Transactions
from newsletter.mail.transport.transport import Message, Outcome, Reply
from tests.mail.transport.smtp.scripted_relay import Answers, Relay

TAKEN, REFUSED, LATER, IN_DOUBT, UNTOUCHED = Outcome
GONE = Reply(None, None, "gone")


def a_parcel(number: int) -> Message:
    body = [b"Message-ID: <%d@news.example>\r\n" % number, b"\r\nHello\r\n", b".\r\n"]
    return Message(number, 1, f"b-{number}@bounces.example", f"r-{number}@example.org", body, 60.0)


@dataclass
class Course:
    """What came of it."""

    decisions: list[Decision] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)
    begun: int = 0
    heard: bytes = b""

    @property
    def fates(self) -> list[Outcome]:
        return [decision.outcome for decision in self.decisions]


def carry(
    relay: Relay,
    letters: int,
    *,
    pieces: tuple[int, ...] = (10**6,),
    closes_after: int | None = None,
    takes: float = 0.0,
) -> Course:
    """Letters over one connection; the relay's words come in pieces of such sizes, and end after so many octets."""
    course, now = Course(), 0.0
    talk = Transactions(Extensions(pipelining=relay.pipelining), DotStuffing())
    coming, place = b"", 0
    while not talk.over:
        while talk.has_room and course.begun < letters:
            assert talk.begin(a_parcel(course.begun)) is None
            course.begun += 1
        if words := b"".join(talk.say(now)):
            course.said.append(words)
            coming += relay.feed(words)
        if closes_after is not None:
            coming = coming[: max(0, closes_after - len(course.heard))]
        if not coming:
            break
        size = pieces[place % len(pieces)]
        place, now = place + 1, now + takes
        course.heard += coming[:size]
        course.decisions += talk.hear(coming[:size], now)
        coming = coming[size:]
    course.decisions += talk.lose(talk.over or GONE, unsent=False)
    return course


CODES = {
    "mail": st.sampled_from([250, 250, 250, 451, 550, 421, 503, 354]),
    "rcpt": st.sampled_from([250, 250, 250, 250, 450, 550, 421, 354]),
    "data": st.sampled_from([354, 354, 354, 354, 451, 554, 421]),
    "dot": st.sampled_from([250, 250, 250, 250, 451, 554, 421]),
    "is_long": st.booleans(),
    "insists": st.booleans(),
}
ANY = st.builds(Answers, **CODES)
SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=5).map(tuple)


@settings(max_examples=500)
@given(st.lists(ANY, min_size=1, max_size=12), SIZES, st.none() | st.integers(0, 500), st.booleans(), st.booleans())
def test_whatever_is_said_cut_and_closed_each_letter_is_decided_once_and_truly(script, sizes, closes, pipelining, slow):
    relay = Relay(dict(enumerate(script)), pipelining=pipelining)
    course = carry(relay, len(script), pieces=sizes, closes_after=closes, takes=2.0 if slow else 0.0)
    assert [decision.message.delivery for decision in course.decisions] == list(range(course.begun))
    took = {recipient: (sender, body) for sender, recipient, body in relay.taken}
    assert len(took) == len(relay.taken), "none twice"
    for message, outcome, _ in course.decisions:
        if message.recipient in took:
            assert outcome in (TAKEN, IN_DOUBT)
            assert took[message.recipient] == (message.sender, b"".join(message.body)), (
                "under its own sender, as it was"
            )
        else:
            assert outcome is not TAKEN
        if outcome is IN_DOUBT:
            assert closes is not None, "a doubt comes of a closed connection only"
    assert not any(relay.voids), "who refused the recipient never sees the letter"


@given(st.lists(ANY, min_size=1, max_size=12), SIZES, st.none() | st.integers(0, 500), st.booleans())
def test_the_same_words_mean_the_same_however_they_are_cut(script, sizes, closes, pipelining):
    whole, cut = (
        carry(Relay(dict(enumerate(script)), pipelining=pipelining), len(script), pieces=pieces, closes_after=closes)
        for pieces in ((10**6,), sizes)
    )
    assert (whole.decisions, whole.said) == (cut.decisions, cut.said)


CALM = st.builds(
    Answers,
    **CODES
    | {
        "mail": st.sampled_from([250, 250, 451, 550]),
        "rcpt": st.sampled_from([250, 250, 450, 550]),
        "data": st.sampled_from([354, 354, 451, 554]),
        "dot": st.sampled_from([250, 250, 451, 554]),
    },
)


@given(st.lists(CALM, min_size=1, max_size=12), SIZES)
def test_ahead_and_command_by_command_the_same_becomes_of_each_letter(script, sizes):
    quick, plain = (
        carry(Relay(dict(enumerate(script)), pipelining=pipelining), len(script), pieces=sizes)
        for pipelining in (True, False)
    )
    both = min(quick.begun, plain.begun)  # eight refusals in a row end it, and one letter may be on its way by then
    assert quick.decisions[:both] == plain.decisions[:both]


@given(st.lists(CALM, min_size=1, max_size=12))
def test_command_by_command_nothing_is_said_before_the_reply_is_heard(script):
    relay = Relay(dict(enumerate(script)), pipelining=False)
    for words in carry(relay, len(script)).said:
        assert words.count(b"\r\n") == 1 or words.endswith(b"\r\n.\r\n")
        assert words.count(b"MAIL FROM") + words.count(b"RCPT TO") + words.endswith(b"\r\n.\r\n") <= 1


def course(*script: Answers, letters: int | None = None, pipelining: bool = True, **how) -> tuple[Course, Relay]:
    usual = dict.fromkeys(range(100), Answers())
    relay = Relay(usual | dict(enumerate(script)), pipelining=pipelining)
    return carry(relay, letters or len(script), **how), relay


def test_with_pipelining_a_letter_costs_one_round_trip():
    told, relay = course(letters=50)
    assert told.fates == [TAKEN] * 50
    assert len(told.said) == 50 + 2, "and two more for the first"
    assert all(words.count(b"MAIL FROM") == 1 for words in told.said[2:-1])
    assert len(relay.taken) == 50


def test_without_it_four_round_trips():
    told, _ = course(letters=50, pipelining=False)
    assert len(told.said) == 4 * 50


def test_a_relay_that_takes_over_a_second_for_its_verdict_is_not_told_of_the_next_letter_meanwhile():
    told, _ = course(letters=5, takes=1.5)
    assert told.fates == [TAKEN] * 5
    assert not any(b"MAIL FROM" in words for words in told.said if words.startswith(b"Message-ID"))


@pytest.mark.parametrize(
    ("first", "outcome", "insistent"),
    [
        (Answers(mail=451), LATER, False),
        (Answers(mail=550), LATER, False),
        (Answers(rcpt=550), REFUSED, False),
        (Answers(rcpt=450), LATER, False),
        (Answers(data=451), LATER, False),
        (Answers(dot=550), REFUSED, False),
        (Answers(rcpt=550, insists=True), REFUSED, True),
        (Answers(rcpt=450, insists=True, dot=554), LATER, True),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
def test_after_a_refusal_the_next_group_starts_with_rset(first, outcome, insistent, pipelining):
    told, relay = course(first, Answers(), Answers(), pipelining=pipelining)
    assert told.fates == [outcome, TAKEN, TAKEN]
    said = b"".join(told.said)
    after_first = said.partition(b"b-0@bounces.example")[2]
    assert after_first.index(b"RSET\r\n") < after_first.index(b"MAIL FROM"), "or it leaves under the last one's sender"
    assert [sender for sender, _, _ in relay.taken] == ["b-1@bounces.example", "b-2@bounces.example"]
    assert relay.voids == ([b""] if insistent and pipelining else [])


def test_the_250_for_nothing_counts_for_nobody():
    told, relay = course(Answers(rcpt=550, insists=True, dot=250), Answers(dot=451), Answers())
    assert relay.voids == [b""]
    assert told.fates == [REFUSED, LATER, TAKEN]


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("answer", [503, 354])
def test_what_is_no_answer_to_mail_leaves_the_letter_untouched_and_ends_the_connection(number, answer):
    told, _ = course(*[Answers()] * number, Answers(mail=answer), Answers())
    assert told.fates == [TAKEN] * number + [UNTOUCHED]


@pytest.mark.parametrize("number", [0, 3])
def test_what_is_no_answer_to_rcpt_does_the_same(number):
    told, relay = course(*[Answers()] * number, Answers(rcpt=354), Answers())
    assert told.fates == [TAKEN] * number + [UNTOUCHED]
    assert len(relay.taken) == number


def test_a_relay_that_wants_the_content_of_a_sender_whom_it_refused_is_left():
    relay = Relay({0: Answers(mail=550)})
    told, talk = Course(), Transactions(Extensions(pipelining=True), DotStuffing())
    talk.begin(a_parcel(0))
    told.said = talk.say(0)
    told.decisions += talk.hear(b"550 no\r\n250 yes\r\n354 go on\r\n", 0)
    assert talk.over
    assert talk.say(0) == []
    told.decisions += talk.lose(talk.over, unsent=False)
    assert told.fates == [LATER]
    assert told.decisions[0].reply.code == 550
    assert relay.taken == []


@pytest.mark.parametrize(
    ("answer", "outcome"), [("421 4.3.2 too many letters\r\n", LATER), ("", IN_DOUBT), ("nonsense\r\n", IN_DOUBT)]
)
def test_at_the_dot_this_letter_is_decided_by_its_reply_and_the_next_one_is_untouched(answer, outcome):
    talk = Transactions(Extensions(pipelining=True), DotStuffing())
    decisions: list[Decision] = []
    talk.begin(a_parcel(0))
    talk.say(0)
    decisions += talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    talk.say(0)
    decisions += talk.hear(b"250 ok\r\n", 0)  # now it is known to be quick
    talk.begin(a_parcel(1))
    talk.say(0)
    decisions += talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    talk.begin(a_parcel(2))
    assert b"".join(talk.say(0)).endswith(b"DATA\r\n")
    decisions += talk.hear(answer.encode(), 0)
    decisions += talk.lose(talk.over or GONE, unsent=False)
    assert [decision.outcome for decision in decisions] == [TAKEN, outcome, UNTOUCHED]


def test_where_the_dot_has_not_left_there_is_no_doubt():
    talk = Transactions(Extensions(pipelining=True), DotStuffing())
    talk.begin(a_parcel(0))
    talk.say(0)
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    talk.say(0)
    assert [decision.outcome for decision in talk.lose(GONE, unsent=True)] == [LATER]


def test_content_that_was_asked_for_and_never_said_leaves_no_doubt():
    talk = Transactions(Extensions(pipelining=True), DotStuffing())
    talk.begin(a_parcel(0))
    talk.say(0)
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
    assert [decision.outcome for decision in talk.lose(GONE, unsent=False)] == [LATER]


def test_before_the_relays_limit_of_refusals_in_a_row_we_leave():
    told, _ = course(*[Answers(rcpt=550)] * 20)
    assert told.fates == [REFUSED] * 8


def test_a_421_that_follows_a_row_of_refusals_is_for_the_row():
    told, _ = course(*[Answers(rcpt=550)] * 5, Answers(mail=421))
    assert told.fates == [REFUSED] * 5 + [UNTOUCHED]
    told, _ = course(Answers(), Answers(mail=421))
    assert told.fates == [TAKEN, UNTOUCHED], "as many as it takes over one connection: no word about this letter"
    told, _ = course(Answers(mail=421))
    assert told.fates == [LATER], "else it is for us"


def test_a_word_that_nobody_asked_for_ends_it():
    talk = Transactions(Extensions(pipelining=True), DotStuffing())
    assert talk.hear(b"421 4.4.2 idle for too long\r\n", 0) == []
    assert talk.over.code == 421


@pytest.mark.parametrize(
    ("offers", "message", "said"),
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
def test_the_envelope_says_what_the_relay_offers_to_be_told(offers, message, said):
    talk = Transactions(Extensions(**{**vars(offers), "pipelining": True}), DotStuffing())
    talk.begin(a_parcel(7)._replace(**message))
    assert b"".join(talk.say(0)).startswith(said.encode())


def test_an_envelope_too_long_to_follow_a_letter_waits_for_its_verdict():
    talk = Transactions(Extensions(pipelining=True), DotStuffing())
    for number in range(2):
        talk.begin(a_parcel(number))
        talk.say(0)
        talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n", 0)
        if number == 0:
            talk.say(0)
            talk.hear(b"250 ok\r\n", 0)
    talk.begin(a_parcel(2)._replace(recipient=f"{'x' * 3000}@example.org"))
    assert b"".join(talk.say(0)).endswith(b"\r\n.\r\n")
    assert talk.say(0) == []
    talk.hear(b"250 ok\r\n", 0)
    assert b"".join(talk.say(0)).startswith(b"MAIL FROM:<b-2@")


def a_talk(*, pipelining: bool) -> Transactions:
    return Transactions(Extensions(pipelining=pipelining), DotStuffing())


def test_command_by_command_a_refused_transaction_is_forgotten_before_the_next_letter_is_asked_for():
    talk = a_talk(pipelining=False)
    talk.begin(a_parcel(1))
    for reply in (b"250 ok\r\n", b"550 5.1.1 no\r\n"):
        assert talk.say(0.0)
        decisions = talk.hear(reply, 0.0)
    assert [decision.outcome for decision in decisions] == [REFUSED]
    assert not talk.has_room, "its MAIL would wait for the answer to RSET, long after its consent was looked at"
    assert talk.say(0.0) == [b"RSET\r\n"]
    assert not talk.has_letter
    talk.hear(b"250 ok\r\n", 6.0)
    assert talk.has_room


def test_a_mail_that_waited_for_a_verdict_is_not_said_too_late():
    talk = a_talk(pipelining=True)
    talk.begin(a_parcel(1))
    talk.say(0.0)
    talk.hear(b"250 ok\r\n250 ok\r\n354 go on\r\n", 0.0)
    talk.say(0.0)
    talk.hear(b"250 taken\r\n", 0.0)
    talk.begin(a_parcel(2))
    talk.say(0.0)
    talk.hear(b"250 ok\r\n250 ok\r\n354 go on\r\n", 0.0)
    assert talk.begin(a_parcel(3)._replace(sender="b" * 3000)) is None
    assert b"MAIL" not in b"".join(talk.say(0.0)), "an envelope as long as that follows no letter unasked"
    decisions = talk.hear(b"250 taken\r\n", 61.0)
    assert [decision.outcome for decision in decisions] == [TAKEN, UNTOUCHED]
    assert talk.say(61.0) == []
    assert talk.has_room


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        (b"250 ok\r\n250 ok\r\n250 what content?\r\n", LATER),
        (b"250 ok\r\n250 ok\r\n354 go on\r\n354 go on\r\n", IN_DOUBT),
    ],
)
def test_who_is_out_of_step_with_us_is_left(replies, outcome):
    talk, decisions = a_talk(pipelining=True), []
    talk.begin(a_parcel(1))
    for line in replies.splitlines(keepends=True):
        talk.say(0.0)
        decisions += talk.hear(line, 0.0)
    assert talk.over
    decisions += talk.lose(GONE, unsent=False)
    assert [decision.outcome for decision in decisions] == [outcome]
