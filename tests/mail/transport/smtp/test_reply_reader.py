"""Replies, however they arrive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.transport.smtp.reply_reader import LONGEST, MOST, NONSENSE, ReplyReader
from newsletter.mail.transport.transport import Reply

STREAM = (
    b"220 relay.test ESMTP\r\n"
    b"250-relay.test\r\n250-PIPELINING\r\n250 SIZE 10240000\r\n"
    b"250 2.1.0 Ok\r\n250 2.1.0 Ok\n550-5.1.1 The account\r\n550-5.1.1 does not\r\n550 5.1.1 exist.\r\n"
    b"250\r\n250 2.0.0 Ok: 4Fx1\r\n"
)
REPLIES = [
    Reply(220, None, "relay.test ESMTP"),
    Reply(250, None, "relay.test PIPELINING SIZE 10240000"),
    Reply(250, "2.1.0", "Ok"),
    Reply(250, "2.1.0", "Ok"),
    Reply(550, "5.1.1", "The account does not exist."),
    Reply(250, None, ""),
    Reply(250, "2.0.0", "Ok: 4Fx1"),
]


def replies(*chunks: bytes) -> list[Reply]:
    reader = ReplyReader()
    return [heard.reply for chunk in chunks for heard in reader.feed(chunk)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_replies_are_the_same_wherever_they_are_cut(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    assert replies(*(STREAM[start:end] for start, end in pairwise(edges))) == REPLIES


def test_replies_are_the_same_byte_by_byte():
    assert replies(*(STREAM[place : place + 1] for place in range(len(STREAM)))) == REPLIES


def test_the_lines_of_a_reply_are_kept_as_they_were():
    heard = ReplyReader().feed(b"250-relay.test\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE\r\n")
    assert heard[0].lines == (b"relay.test", b"AUTH PLAIN LOGIN", b"SIZE")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n",
        b"\r\n",
        b"25\r\n",
        b"2500 Ok\r\n",
        b"150 Ok\r\n",
        b"650 Ok\r\n",
        b"\xff\xfe\r\n",
        b"250-one\r\n251 two\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
@pytest.mark.parametrize("is_cut", [True, False])
def test_what_is_no_reply_is_the_last_thing_that_is_heard(nonsense, is_cut):
    data = b"250 Ok\r\n" + nonsense + b"250 Ok\r\n"
    reader = ReplyReader()
    heard = [each for place in range(len(data)) for each in reader.feed(data[place : place + 1])] if is_cut else []
    heard = heard or ReplyReader().feed(data)
    assert heard[0].reply == Reply(250, None, "Ok")
    assert heard[1] is NONSENSE


@pytest.mark.parametrize("is_ended", [True, False])
def test_an_endless_line_is_nonsense_and_is_not_kept_for_ever(is_ended):
    assert ReplyReader().feed(b"250 " + b"x" * LONGEST + b"\r\n" * is_ended) == [NONSENSE]


def test_an_endless_reply_is_nonsense():
    assert ReplyReader().feed(b"250-more\r\n" * MOST) == []
    assert ReplyReader().feed(b"250-more\r\n" * (MOST + 1)) == [NONSENSE]


def test_many_different_replies_are_not_remembered_for_ever():
    reader = ReplyReader()
    for number in range(1000):
        assert reader.feed(b"250 2.0.0 Ok: %d\r\n" % number)[0].reply.text == f"Ok: {number}"
    assert len(reader._known) < 100
