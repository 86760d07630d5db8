"""Real feeds: every entry with a title or a link is parsed."""

import json
from pathlib import Path

import feedparser
import pytest

from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.parser import parse
from tests.shared_data import SHARED, shared

NOT_FEEDS = {"Subs.opml": "a list of feeds, not a feed"}

FILES = [path.name for path in sorted((SHARED / "feeds" / "real").glob("*"))]
FEEDS = [name for name in FILES if name not in NOT_FEEDS] or ["18f"]


def body(name: str) -> bytes:
    return (shared("feeds/18f/feed.xml") if name == "18f" else shared("feeds/real") / name).read_bytes()


def offered(name: str) -> int:
    """Count the file's entries with a title or a link, without our parser."""
    if name.endswith(".json"):
        return sum(bool(item.get("title") or item.get("url")) for item in json.loads(body(name))["items"])
    return sum(bool(entry.get("title") or entry.get("link")) for entry in feedparser.parse(body(name)).entries)


@pytest.mark.parametrize("name", [*FEEDS, "18f"] if FEEDS != ["18f"] else FEEDS)
def test_every_entry_with_a_title_or_a_link_is_parsed(name):
    entries = parse(body(name), url="http://127.0.0.1:8099/feed.xml").entries
    assert len(entries) == offered(name) > 0
    assert all(entry.title and entry.url and entry.identity for entry in entries)
    assert all(entry.published_at for entry in entries)


def test_a_file_that_is_not_a_feed_is_refused():
    for name in NOT_FEEDS:
        with pytest.raises(FeedUnreadable):
            parse(body(name), url="http://127.0.0.1:8099/")


def test_the_reason_for_the_exception_is_still_true():
    ids = [entry.id for entry in feedparser.parse(body("scriptingNews.rss")).entries]
    assert len(ids) - len(set(ids)) == 2


def test_entries_of_a_real_publisher_have_summaries_and_pictures():
    entries = parse(body("18f"), url="http://127.0.0.1:8099/feed.xml").entries
    assert all(entry.summary and len(entry.summary) <= 280 for entry in entries)
    assert sum(bool(entry.pictures) for entry in entries) == 6
    assert {Path(picture.url).parent.name for entry in entries for picture in entry.pictures} == {"img"}
