"""The sample feeds, which the demo sends: one for each of its languages."""

import re
import struct
from pathlib import Path

import feedparser
import pytest
from selectolax.lexbor import LexborHTMLParser

import newsletter
from newsletter.cli.demo.samples import SAMPLES
from newsletter.content.parsing import parser

SAMPLE = Path(newsletter.__file__).parent / "sample"
ADDRESS = {
    "content-location": "http://localhost:8000/sample/feed.xml",
    "content-type": "application/rss+xml; charset=utf-8",
}


@pytest.fixture(scope="module", params=SAMPLES.values(), ids=SAMPLES.keys())
def source(request):
    return request.param.feed.read_bytes()


@pytest.fixture(scope="module")
def feed(source):
    return feedparser.parse(source, response_headers=ADDRESS)


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


def test_the_service_finds_the_pictures_beside_the_feed(source):
    parsed = parser.parse(source, url="http://localhost:8000/sample/feed.xml", content_type="application/rss+xml")
    addresses = [picture.url for entry in parsed.entries for picture in entry.pictures]
    assert len(addresses) == 12
    assert all(address.startswith("http://localhost:8000/sample/pictures/") for address in addresses)


def test_the_feed_loads_nothing_from_other_hosts(source):
    assert not re.search(rb'src="(?!pictures/)', source)
