"""What reading a hostile document costs before a parser sees it: no more than its size."""

from time import process_time

import pytest

from newsletter.content.parsing import feedparser_input
from newsletter.content.parsing.documents.decoding import FeedUnreadable, decode
from newsletter.content.parsing.documents.prolog import strip_prolog
from newsletter.content.parsing.documents.references import resolve
from newsletter.content.parsing.documents.truncation import whole_items

SIZE = 200_000  # bytes; what takes quadratic time takes many seconds for them

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


REPEATED_IN_ELEMENTS = [
    " ",
    "\n",
    "href=",
    " href =",
    "a@",
    "@",
    "a:",
    "https://",
    "<link>",
    "<link href=> ",
    "<author>a@ ",
]


@pytest.mark.parametrize("unit", REPEATED_IN_ELEMENTS)
@pytest.mark.parametrize(
    "start", ["<link ", "<link>", "<link href=''>", "<link><![CDATA[", "<author>", "<author>a@", "<author><![CDATA[ "]
)
def test_preparing_a_document_for_feedparser_takes_time_in_proportion_to_its_size(unit, start):
    document = start + unit * (SIZE // len(unit))
    before = process_time()
    feedparser_input.prepare(document)
    assert process_time() - before < 0.5
