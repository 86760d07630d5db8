"""Small feeds for tests: an RSS channel around items, an Atom feed around entries, a JSON Feed around items."""

import json

from newsletter.content.parsing.entries import FeedEntry
from newsletter.content.parsing.parser import parse

HERE = "http://news.example/blog/feed"
NAMESPACES = " ".join(
    f'xmlns:{prefix}="{name}"'
    for prefix, name in {
        "atom": "http://www.w3.org/2005/Atom",
        "content": "http://purl.org/rss/1.0/modules/content/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
        "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
        "media": "http://search.yahoo.com/mrss/",
    }.items()
)


def rss_entry(markup: str, *, channel: str = "") -> FeedEntry:
    """Return the only entry of an RSS channel with one item of this content."""
    body = f'<rss version="2.0" {NAMESPACES}><channel><title>News</title>{channel}<item>{markup}</item></channel></rss>'
    (entry,) = parse(body.encode(), url=HERE).entries
    return entry


def described(html: str, title: str = "The library") -> FeedEntry:
    """Return the entry of an item with this title, and with this HTML as its description."""
    return rss_entry(f"<title>{title}</title><link>/1</link><description><![CDATA[{html}]]></description>")


def atom_entry(markup: str, *, feed: str = "", attributes: str = "") -> FeedEntry:
    """Return the only entry of an Atom feed."""
    start = f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}><title>News</title>{feed}'
    (entry,) = parse(f"{start}<entry><id>tag:1</id>{markup}</entry></feed>".encode(), url=HERE).entries
    return entry


def json_entry(item: dict[str, object], **feed: object) -> FeedEntry:
    """Return the only entry of a JSON Feed."""
    document = {"version": "https://jsonfeed.org/version/1.1", "title": "News", "items": [{"id": "1", **item}], **feed}
    (entry,) = parse(json.dumps(document).encode(), url=HERE).entries
    return entry
