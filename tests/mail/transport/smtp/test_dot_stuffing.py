"""A letter's bytes on the wire, held against the plain way: stuff the whole letter at once."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.transport.smtp.dot_stuffing import KNOWN, DotStuffing

PIECES = st.lists(st.text("\r\n.a", max_size=8).map(str.encode), max_size=8)


def plainly(letter: bytes) -> bytes:
    """RFC 5321 section 4.5.2."""
    stuffed = (b"\n" + letter).replace(b"\n.", b"\n..")[1:]
    return stuffed + (b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n")


@given(PIECES)
def test_dots_are_stuffed_wherever_the_letter_is_cut(pieces):
    letter = b"".join(pieces)
    content = DotStuffing().content(pieces)
    assert b"".join(content.pieces) == plainly(letter)
    assert content.size == len(letter)


@given(PIECES, PIECES)
def test_a_letter_that_shares_pieces_with_another_is_stuffed_as_if_alone(shared, own):
    stuffing = DotStuffing()
    for fields in (own, own[::-1], [b"."] * 8):
        pieces = [piece for both in zip(shared, [*fields, *[b""] * 8], strict=False) for piece in both]
        assert b"".join(stuffing.content(pieces).pieces) == plainly(b"".join(pieces))


def test_a_letter_may_be_seen_through_memoryviews():
    for pieces in ([b"\n.", b"."], [b"a\r\n", b"b\r\n"], [b"a\r", b"\n"]):
        content = DotStuffing().content([memoryview(piece) for piece in pieces])
        assert b"".join(content.pieces) == plainly(b"".join(pieces))


def test_a_letter_outside_ascii_says_so():
    assert DotStuffing().content([b"plain", b"text"]).is_ascii
    assert not DotStuffing().content([b"plain", "grün".encode()]).is_ascii


def test_pieces_are_not_remembered_for_ever():
    stuffing = DotStuffing()
    for number in range(KNOWN * 3):
        stuffing.content([b"%d" % number])
    assert len(stuffing._known) <= KNOWN
