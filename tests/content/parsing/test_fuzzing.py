"""Random and damaged documents: the parser reads them or says that they are unreadable, and fails in no other way."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content.downloading.downloader import FeedDownload
from newsletter.content.downloading.messages import decode_answer, encode_result
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.parser import parse

RSS = """<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"
xmlns:dc="http://purl.org/dc/elements/1.1/" xml:base="http://x.example/"><channel><title>Grüße &amp; mehr</title>
<item><title>A &lt;b&gt;bus&lt;/b&gt;</title><guid isPermaLink="true">http://x.example/1</guid><link>/1</link>
<dc:creator>Ann</dc:creator><pubDate>Sat, 14 Mar 2026 12:00:00 +0100</pubDate><category domain="x">C</category>
<media:content url="/1.png" medium="image" width="300"/><enclosure url="/1.mp3" type="audio/mpeg" length="1"/>
<description><![CDATA[<p>Text &nbsp; <img src="/2.png" alt="A cat"> <a href="javascript:x">no</a></p>]]></description>
</item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title type="html">A &amp;amp; B</title><id>u</id>
<entry><id>tag:1</id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">T</div></title>
<link rel="alternate" href="../1"/><author><name>Ann</name></author><updated>2026-03-14T12:00:00Z</updated>
<content type="html">&lt;p&gt;Text&lt;/p&gt;</content><source><title>S</title></source></entry></feed>"""
JSON_FEED = """{"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": [{"id": "1", "url": "/1",
"title": null, "content_html": "<p>Text", "image": "x.jpg", "authors": [{"name": "Ann"}], "tags": ["a", 1],
"date_published": "2026-03-14T12:00:00+01:00", "attachments": [{"url": "a", "mime_type": "image/png"}]}]}"""
SOUND = [RSS.encode(), ATOM.encode(), JSON_FEED.encode(), ATOM.encode("utf-16"), RSS.encode("latin-1")]
MARKUP = st.sampled_from(
    (
        *(b"<", b">", b"&", b'"', b"'", b"[", b"{", b"/", b"\0", b"\xff", b"\xfe", b"\xe9", b"\xef\xbb\xbf"),
        *(b"<![CDATA[", b"]]>", b"<!--", b"<!DOCTYPE x [", b"&#x110000;", b"&#xD800;", b"&eacute;", b"<item>"),
        *(b"</item>", b"<entry>", b"xml:base='//['", b"charset=utf-16", b"99999999999", b"null"),
    )
)
CONTENT_TYPES = st.sampled_from(
    ["", "text/xml", "text/xml; charset=utf-16", "application/json; charset=x", "a; charset="]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a sound document in which some parts were cut, repeated or replaced."""
    document = draw(st.sampled_from(SOUND))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(document)))
        end = min(len(document), start + draw(st.integers(0, 40)))
        part = draw(st.one_of(MARKUP, st.binary(max_size=8), st.just(b""), st.just(document[start:end] * 3)))
        document = document[:start] + part + document[end:]
    return document[: draw(st.integers(0, len(document)))] if draw(st.booleans()) else document


def check(body: bytes, content_type: str) -> None:
    """Parse a body, and let the result pass between processes as a download's does."""
    with suppress(FeedUnreadable):
        feed = parse(body, url="http://x.example/feed", content_type=content_type)
        download = FeedDownload(url="http://x.example/feed", feed=feed)
        assert decode_answer(encode_result(download)) == download


@settings(max_examples=60)
@given(damaged(), CONTENT_TYPES)
def test_a_damaged_feed_is_read_or_called_unreadable(body, content_type):
    check(body, content_type)


@settings(max_examples=60)
@given(st.binary(max_size=200), CONTENT_TYPES)
def test_random_bytes_are_called_unreadable(body, content_type):
    check(body, content_type)


@pytest.mark.slow
@settings(max_examples=2000)
@given(damaged(), CONTENT_TYPES)
def test_many_damaged_feeds_are_read_or_called_unreadable(body, content_type):
    check(body, content_type)
