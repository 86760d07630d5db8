"""Replies are parsed however they arrive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.transport.smtp.reply_reader import INVALID, MAX_LINE_OCTETS, MAX_REPLY_LINES, ReplyReader
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
    return [parsed.reply for chunk in chunks for parsed in reader.feed(chunk)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_replies_are_the_same_wherever_they_are_cut(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    assert replies(*(STREAM[start:end] for start, end in pairwise(edges))) == REPLIES


def test_replies_are_the_same_byte_by_byte():
    assert replies(*(STREAM[position : position + 1] for position in range(len(STREAM)))) == REPLIES


def test_the_lines_of_a_reply_are_kept_as_they_were():
    parsed = ReplyReader().feed(b"250-relay.test\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE\r\n")
    assert parsed[0].lines == (b"relay.test", b"AUTH PLAIN LOGIN", b"SIZE")


@pytest.mark.parametrize(
    "invalid",
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
def test_nothing_is_parsed_after_an_invalid_reply(invalid, is_cut):
    data = b"250 Ok\r\n" + invalid + b"250 Ok\r\n"
    reader = ReplyReader()
    parsed = [each for at in range(len(data)) for each in reader.feed(data[at : at + 1])] if is_cut else []
    parsed = parsed or ReplyReader().feed(data)
    assert parsed[0].reply == Reply(250, None, "Ok")
    assert parsed[1] is INVALID


@pytest.mark.parametrize("is_ended", [True, False])
def test_an_endless_line_is_invalid_and_is_not_buffered(is_ended):
    assert ReplyReader().feed(b"250 " + b"x" * MAX_LINE_OCTETS + b"\r\n" * is_ended) == [INVALID]


def test_an_endless_reply_is_invalid():
    assert ReplyReader().feed(b"250-more\r\n" * MAX_REPLY_LINES) == []
    assert ReplyReader().feed(b"250-more\r\n" * (MAX_REPLY_LINES + 1)) == [INVALID]


def test_the_cache_of_replies_is_bounded():
    reader = ReplyReader()
    for number in range(1000):
        assert reader.feed(b"250 2.0.0 Ok: %d\r\n" % number)[0].reply.text == f"Ok: {number}"
    assert len(reader._cached) < 100
