"""Dot stuffing of segments, compared with dot stuffing of the whole letter."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.transport.smtp.dot_stuffing import MAX_CACHED_LETTERS, DotStuffing

SEGMENTS = st.lists(st.text("\r\n.a", max_size=8).map(str.encode), max_size=8)


def stuffed_whole(letter: bytes) -> bytes:
    """Return the letter as RFC 5321 section 4.5.2 says."""
    stuffed = (b"\n" + letter).replace(b"\n.", b"\n..")[1:]
    return stuffed + (b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n")


@given(SEGMENTS)
def test_dots_are_stuffed_wherever_the_letter_is_cut(segments):
    letter = b"".join(segments)
    content = DotStuffing().content(segments)
    assert b"".join(content.segments) == stuffed_whole(letter)
    assert content.size == len(letter)


@given(SEGMENTS, SEGMENTS)
def test_a_letter_that_shares_segments_with_another_is_stuffed_as_if_alone(shared, own):
    stuffing = DotStuffing()
    for fields in (own, own[::-1], [b"."] * 8):
        segments = [segment for both in zip(shared, [*fields, *[b""] * 8], strict=False) for segment in both]
        assert b"".join(stuffing.content(segments).segments) == stuffed_whole(b"".join(segments))


def test_segments_may_be_memoryviews():
    for segments in ([b"\n.", b"."], [b"a\r\n", b"b\r\n"], [b"a\r", b"\n"]):
        content = DotStuffing().content([memoryview(segment) for segment in segments])
        assert b"".join(content.segments) == stuffed_whole(b"".join(segments))


def test_content_outside_ascii_is_marked():
    assert DotStuffing().content([b"plain", b"text"]).is_ascii
    assert not DotStuffing().content([b"plain", "grün".encode()]).is_ascii


def test_the_cache_of_shared_segments_is_bounded():
    stuffing = DotStuffing()
    for number in range(MAX_CACHED_LETTERS * 3):
        stuffing.content([b"%d" % number])
    assert len(stuffing._cached) <= MAX_CACHED_LETTERS
