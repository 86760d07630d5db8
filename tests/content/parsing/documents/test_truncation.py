"""Documents that are not received whole: an item that is cut makes no article."""

import json

import pytest

from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.entries import ParsedFeed
from newsletter.content.parsing.parser import parse

RSS = "<rss version='2.0'><channel><title>News</title>{}</channel></rss>"
PREFIXED = "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:rss='http://purl.org/rss/1.0/'>"
DOCUMENTS = {
    "RSS": (RSS, "item"),
    "Atom": ("<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'><title>News</title>{}</feed>", "entry"),
    "Atom with a prefix": (
        "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:title>News</a:title>{}</a:feed>",
        "a:entry",
    ),
    "RDF": (f"{PREFIXED}<rss:channel><rss:title>News</rss:title></rss:channel>{{}}</r:RDF>", "rss:item"),
}
CUTS = [
    "<",
    "<tit",
    "<title>Dr",
    "<title>A</title>",
    "<a href='",
    "<a href='x'",
    "<![CD",
    "<![CDATA[<p></rss>a",
    "<!-- a",
    "&am",
    "]]",
]


def document(form: str) -> tuple[str, str, str]:
    """Return the document with two whole items, with a mark where a third may begin, and the tags of an item."""
    frame, tag = DOCUMENTS[form]
    prefix = tag.rpartition(":")[0]
    item = "<{0}><{1}title>Üben {{n}}</{1}title><{1}id>{{n}}</{1}id><{1}guid>{{n}}</{1}guid></{0}>".format(
        tag, f"{prefix}:" if prefix else ""
    )
    return frame.format(item.format(n=1) + item.format(n=2) + "|"), f"<{tag}>", f"</{tag}>"


def read(text: str | bytes) -> ParsedFeed:
    return parse(text if isinstance(text, bytes) else text.encode(), url="http://news.example/feed")


def titles(feed: ParsedFeed) -> list[str]:
    return [entry.title for entry in feed.entries]


@pytest.mark.parametrize("form", DOCUMENTS)
def test_a_whole_document_is_complete(form):
    text, opening, closing = document(form)
    feed = read(text.replace("|", f"{opening}{closing}"))
    assert feed.is_complete
    assert titles(feed) == ["Üben 1", "Üben 2"]


@pytest.mark.parametrize("form", DOCUMENTS)
@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_item_is_left_out(form, cut):
    text, opening, _ = document(form)
    feed = read(text.partition("|")[0] + opening + cut)
    assert not feed.is_complete
    assert (feed.title, titles(feed)) == ("News", ["Üben 1", "Üben 2"])


@pytest.mark.parametrize("form", DOCUMENTS)
def test_wherever_a_document_is_cut_only_whole_items_are_left(form):
    text, opening, closing = document(form)
    body = text.replace("|", "").encode()
    ends = [place + len(closing) for place in range(len(body)) if body.startswith(closing.encode(), place)]
    for length in range(body.index(opening.encode()), len(body)):
        feed = read(body[:length])
        assert titles(feed) == [f"Üben {n + 1}" for n, end in enumerate(ends) if end <= length]
        assert feed.is_complete == (length == len(body))


def test_items_that_nobody_closes_are_whole_if_another_follows():
    items = "<item><title>1</title><item><title>2</title>"
    whole, cut = read(RSS.format(items)), read(RSS.partition("{")[0] + items)
    assert (whole.is_complete, cut.is_complete) == (True, False)
    assert "1" in titles(cut)[0]
    assert len(cut.entries) == 1


@pytest.mark.parametrize("rest", ["\n<!-- served from a cache -->", "<script>track()</script>", "<br>Warning: x", "&"])
def test_what_follows_the_root_element_is_ignored(rest):
    feed = read(RSS.format("<item><title>1</title></item>") + rest)
    assert feed.is_complete
    assert titles(feed) == ["1"]


def test_a_feed_whose_header_is_cut_keeps_no_half_of_its_title():
    feed = read("<rss version='2.0'><channel><link>http://news.example/</link><title>The Mor")
    assert (feed.title, feed.entries, feed.is_complete) == ("", (), False)


def test_a_json_feed_that_is_cut_is_refused():
    whole = json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "N", "items": [{"id": "1", "title": "A"}]}
    )
    assert read(whole).is_complete
    for length in range(1, len(whole)):
        with pytest.raises(FeedUnreadable, match="broken JSON"):
            read(whole[:length])
