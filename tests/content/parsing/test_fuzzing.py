"""Any document is a feed or is refused with a reason, and costs no more than its size."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.decoding import FeedUnreadable, decode
from newsletter.content.parsing.parser import parse
from newsletter.content.parsing.prolog import strip_prolog
from newsletter.content.parsing.references import resolve
from newsletter.content.parsing.sanitizing import UNSTORABLE
from newsletter.content.parsing.truncation import whole_items

SIZE = 200_000  # bytes; what takes quadratic time takes many seconds for them
SEEDS = [
    """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE rss [<!ENTITY a "b">]><rss version="2.0"><channel>
    <title>Grüße</title><language>de</language><item><title>Eins &amp; zwei</title><link>http://news.example/1</link>
    <description><![CDATA[<p>Ein <b>Text</b>]]></description><pubDate>Sa, 28 Nov 2026 10:00:00 +0100</pubDate></item>
    <item><guid>2</guid><title>Zwei &eacute;</title></item></channel></rss>""",
    """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr"><title>Été</title><entry><id>1</id><title>Un</title>
    <updated>2026-11-28T10:00:00Z</updated><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>a</p></div>
    </content><!-- c --></entry></feed>""",
    """{"version": "https://jsonfeed.org/version/1.1", "title": "Ж", "items": [{"id": "1", "content_html": "<p>a",
    "date_published": "2026-11-28T10:00:00Z", "tags": ["a"]}]}""",
]
FRAGMENTS = [
    "<",
    ">",
    "&",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "<!DOCTYPE a [",
    "]>",
    "</item>",
    "<item>",
    "</rss>",
    "<?",
    "?>",
]
FRAGMENTS += [
    "&#x0;",
    "&a;",
    '"',
    "'",
    "\x00",
    "\ufeff",
    "\ud800",
    "<rss>",
    "</channel>",
    "{",
    "[",
    "xmlns:a=",
    "&#55555;",
]
CHARSETS = ["utf-8", "utf-16", "windows-1251", "shift_jis", "gb18030", "utf-7", "utf-32-be"]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 20), st.sampled_from(FRAGMENTS)), max_size=5),
    st.sampled_from(CHARSETS),
    st.sampled_from(CHARSETS),
)
def test_a_damaged_feed_is_read_or_refused(document, damages, charset, declared):
    for place, removed, added in damages:
        document = document[:place] + added + document[place + removed :]
    try:
        feed = parse(
            document.encode(charset, "replace"), url="http://news.example/", content_type=f"a/b;charset={declared}"
        )
    except FeedUnreadable:
        return
    shown = [feed.title, *(text for entry in feed.entries for text in (entry.title, entry.summary, entry.html))]
    assert not any(UNSTORABLE.search(text) for text in shown)


REPEATED = [
    b"\xe9",
    b"\xe9a",
    b"\xa4\xa4",
    b"<\xe9",
    b"\xef\xbb\xbf",
    b"\0",
    b"<",
    b"\xff\xc3\xa9",
    b"<?xml ",
    b"\xe4\xb8",
]


@pytest.mark.parametrize("unit", REPEATED)
@pytest.mark.parametrize("charset", ["", "utf-8", "euc-kr"])
def test_decoding_takes_time_in_proportion_to_the_size(unit, charset):
    before = process_time()
    decode(unit * (SIZE // len(unit)), f"text/xml; charset={charset}")
    assert process_time() - before < 0.5


REPEATED_MARKUP = [
    "<![CDATA[",
    "<![CDATA[]]>",
    "<!--",
    "<!---->",
    "<!DOCTYPE ",
    "<!DOCTYPE a [",
    "<!DOCTYPE a [<!ENTITY a '",
]
REPEATED_MARKUP += [
    "<!DOCTYPE a>",
    "<?a ",
    "<?xml ",
    "&",
    "&a;",
    "<item>",
    "<item ",
    "</a>",
    "<rss>",
    "</rss ",
    "</rss",
    " ",
    "<a:",
]


@pytest.mark.parametrize("unit", REPEATED_MARKUP)
@pytest.mark.parametrize("start", ["", "<rss>", "<!DOCTYPE "])
def test_preparing_a_document_takes_time_in_proportion_to_its_size(unit, start):
    document = start + unit * (SIZE // len(unit))
    before = process_time()
    try:
        document = strip_prolog(document)
    except FeedUnreadable:
        document = f"<rss>{document}"
    resolve(whole_items(document).text)
    assert process_time() - before < 0.5
