"""The sample feed, which the demo sends."""

import re
import struct
from pathlib import Path

import feedparser
import pytest
from selectolax.lexbor import LexborHTMLParser

import newsletter
from newsletter.content.parsing.parser import parse

SAMPLE = Path(newsletter.__file__).parent / "sample"
ADDRESS = {
    "content-location": "http://localhost:8000/sample/feed.xml",
    "content-type": "application/rss+xml; charset=utf-8",
}


@pytest.fixture(scope="module")
def feed():
    return feedparser.parse((SAMPLE / "feed.xml").read_bytes(), response_headers=ADDRESS)


def test_the_feed_is_well_formed_and_has_twelve_articles_on_different_days(feed):
    assert not feed.bozo
    assert len(feed.entries) == 12
    assert len({entry.id for entry in feed.entries}) == 12
    days = [entry.published_parsed[:3] for entry in feed.entries]
    assert days == sorted(set(days), reverse=True)


def test_an_article_is_a_short_read_with_a_link(feed):
    for entry in feed.entries:
        words = LexborHTMLParser(entry.summary).body.text().split()
        assert 60 <= len(words) <= 150
        assert len(entry.title) <= 60
        assert entry.link.startswith("https://")


def test_every_article_has_a_picture_with_its_real_size_and_alt_text(feed):
    used = set()
    for entry in feed.entries:
        image = LexborHTMLParser(entry.summary).css_first("img").attributes
        assert image["src"].startswith("http://localhost:8000/sample/pictures/")
        assert 40 <= len(image["alt"]) <= 150
        picture = SAMPLE / "pictures" / image["src"].rpartition("/")[2]
        used.add(picture)
        content = picture.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">II", content[16:24]) == (int(image["width"]), int(image["height"])) == (1104, 620)
        assert len(content) < 30_000
    assert used == set((SAMPLE / "pictures").iterdir())


def test_the_service_finds_the_pictures_beside_the_feed():
    parsed = parse((SAMPLE / "feed.xml").read_bytes(), url=ADDRESS["content-location"])
    assert all(entry.pictures[0].url.startswith("http://localhost:8000/sample/") for entry in parsed.entries)


def test_the_feed_loads_nothing_from_other_hosts(feed):
    source = (SAMPLE / "feed.xml").read_text()
    assert not re.search(r'src="(?!pictures/)', source)
