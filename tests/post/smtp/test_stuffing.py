"""A letter's bytes on the wire, held against the plain way: stuff the whole letter at once."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.post.smtp.stuffing import KNOWN, LONG, Stuffing

PIECES = st.lists(st.text("\r\n.a", max_size=8).map(str.encode), max_size=8)


def plainly(letter: bytes) -> bytes:
    """RFC 5321 section 4.5.2."""
    stuffed = (b"\n" + letter).replace(b"\n.", b"\n..")[1:]
    return stuffed + (b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n")


@given(PIECES)
def test_dots_are_stuffed_wherever_the_letter_is_cut(pieces):
    letter = b"".join(pieces)
    content = Stuffing().content(pieces)
    assert b"".join(content.pieces) == plainly(letter)
    assert content.size == len(letter)


@given(st.lists(st.sampled_from([b".a\r\n" * LONG, b"b\r\n." * LONG, b"c\n" * LONG, b".", b"\r\n", b"\n", b""])))
def test_long_pieces_that_come_again_are_stuffed_the_same(pieces):
    stuffing = Stuffing()
    for _ in range(2):
        assert b"".join(stuffing.content(pieces).pieces) == plainly(b"".join(pieces))


def test_a_letter_may_be_seen_through_memoryviews():
    assert b"".join(Stuffing().content([memoryview(b"\n." * LONG), memoryview(b".")]).pieces) == plainly(
        b"\n." * LONG + b"."
    )


def test_a_letter_outside_ascii_says_so():
    assert Stuffing().content([b"plain", b"text"]).is_ascii
    assert not Stuffing().content([b"plain", "grün".encode()]).is_ascii


def test_pieces_are_not_remembered_for_ever():
    stuffing = Stuffing()
    for number in range(KNOWN * 3):
        stuffing.content([b"%d" % number + b"x" * LONG])
    assert len(stuffing._known) <= KNOWN
