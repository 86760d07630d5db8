"""feedparser's corpus of feeds with scripts: no script may remain in anything that a letter or a page shows."""

import re
from collections.abc import Iterator

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.content.parsing.entries import ParsedFeed
from newsletter.content.parsing.parser import parse
from newsletter.content.parsing.texts.sanitizing import TAGS
from tests.shared_data import SHARED, shared

FILES = sorted(path.name for path in (SHARED / "feeds" / "hostile").glob("*")) or ["absent"]
CODE = re.compile(
    r"<\s*/?\s*[a-z!]|javascript:|vbscript:|data:|\bon[a-z]+\s*=|style\s*=|expression\s*\(", re.IGNORECASE
)


def feed(name: str) -> ParsedFeed:
    """Parse the feed, with a title added to every entry (most have none), or with the feed's own text as an entry."""
    body = (shared("feeds/hostile") / name).read_bytes()
    if re.search(rb"<(entry|item)\b", body):
        body = re.sub(rb"<(entry|item)\b([^>]*[^/])?>", rb"\g<0><title>Title</title>", body)
    else:
        body = re.sub(rb"<(feed|channel)\b[^>]*>", rb"\g<0><entry><id>tag:1</id><link href='/a'/>", body)
        body = re.sub(rb"</(feed|channel)>", rb"</entry>\g<0>", body)
        body = re.sub(rb"<(/?)(tagline|subtitle|copyright|rights|info)\b", rb"<\1summary", body)
    return parse(body, url="http://news.example/feed")


def shown(feed: ParsedFeed) -> Iterator[str]:
    """Yield every text of the feed that can be shown."""
    yield feed.title
    for entry in feed.entries:
        yield from (entry.title, entry.summary, entry.author, *entry.categories)
        for picture in entry.pictures:
            yield from (picture.alt, picture.url)


@pytest.mark.parametrize("name", FILES)
def test_no_script_survives(name):
    hostile = feed(name)
    assert hostile.entries
    for text in shown(hostile):
        assert not CODE.search(text)
    for entry in hostile.entries:
        assert entry.url is None or entry.url.startswith(("http://", "https://"))
        assert not CODE.search(re.sub(r"</?[a-z0-9]+( href=\"[^\"]*\")?>", "", entry.html))
        for node in LexborHTMLParser(f"<body>{entry.html}").css("body *"):
            assert node.tag in TAGS
            assert set(node.attributes) <= {"href"}
            assert (node.attributes.get("href") or "http:").startswith(("http:", "https:", "mailto:"))
