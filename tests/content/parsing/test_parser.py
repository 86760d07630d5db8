"""The parser: every format, and every field of an entry."""

import json
from datetime import UTC, datetime

import pytest

from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.entries import FeedEntry, LeadPicture, ParsedFeed
from newsletter.content.parsing.parser import MAX_ENTRIES, parse

HERE = "http://news.example/feed"


def rss(items: str, *, head: str = "") -> bytes:
    namespaces = 'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"'
    return f'<rss version="2.0" {namespaces}><channel><title>News</title>{head}{items}</channel></rss>'.encode()


def item(markup: str) -> FeedEntry:
    """Return the only entry of an RSS feed with one item of this content."""
    (entry,) = parse(rss(f"<item>{markup}</item>"), url=HERE).entries
    return entry


def test_rss_is_parsed():
    feed = parse(
        rss(
            """<item><guid isPermaLink="false">n1</guid><title>One &amp;amp; two</title><link>/one</link>
            <description>&lt;p&gt;First &lt;b&gt;words&lt;/b&gt;&lt;/p&gt;&lt;p&gt;more&lt;/p&gt;</description>
            <author>mail@news.example (Ann Writer)</author><category>Town</category><category>Town</category>
            <pubDate>Sat, 14 Mar 2026 12:00:00 +0100</pubDate>
            <enclosure url="/one.jpg" type="image/jpeg"/></item>"""
        ),
        url=HERE,
    )
    assert feed == ParsedFeed(
        title="News",
        entries=(
            FeedEntry(
                identity="n1",
                url="http://news.example/one",
                title="One & two",
                summary="First words more",
                html="<p>First <strong>words</strong></p><p>more</p>",
                author="Ann Writer",
                published_at=datetime(2026, 3, 14, 11, tzinfo=UTC),
                pictures=(LeadPicture(url="http://news.example/one.jpg"),),
                categories=("Town",),
            ),
        ),
    )


def test_atom_is_parsed():
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://news.example/blog/"><title>News</title>
        <entry><id>tag:1</id><title type="text">How to use &lt;div&gt;</title><link href="one"/>
        <author><name>Ann</name></author><updated>2026-03-14T12:00:00Z</updated><summary>Short</summary>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Long <a href="two">text</a>
        <img src="a.png" alt="A &amp; B"/></p></div></content></entry></feed>"""
    (entry,) = parse(body, url="http://elsewhere.example/feed").entries
    assert entry == FeedEntry(
        identity="tag:1",
        url="http://news.example/blog/one",
        title="How to use <div>",
        summary="Short",
        has_whole_text=True,
        html='<p>Long <a href="http://news.example/blog/two">text</a>\n        </p>',
        author="Ann",
        published_at=datetime(2026, 3, 14, 12, tzinfo=UTC),
        pictures=(LeadPicture(url="http://news.example/blog/a.png", alt="A & B"),),
    )


def test_rdf_is_parsed():
    body = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="http://news.example/"><title>News</title></channel>
        <item rdf:about="http://news.example/1"><title>One</title><link>http://news.example/1</link>
        <dc:date>2026-03-14</dc:date><dc:creator>Ann</dc:creator></item></rdf:RDF>"""
    (entry,) = parse(body, url=HERE).entries
    assert (entry.identity, entry.title, entry.author) == ("http://news.example/1", "One", "Ann")
    assert entry.published_at == datetime(2026, 3, 14, tzinfo=UTC)


def test_atom_0_3_is_parsed():
    body = b"""<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>News</title><entry><id>tag:1</id>
        <title mode="escaped" type="text/html">A &amp;lt;b&amp;gt;bold&amp;lt;/b&amp;gt; word</title>
        <link rel="alternate" href="http://news.example/1"/><issued>2026-03-14T12:00:00Z</issued>
        <modified>2026-03-15T12:00:00Z</modified></entry></feed>"""
    (entry,) = parse(body, url=HERE).entries
    assert (entry.title, entry.published_at) == ("A bold word", datetime(2026, 3, 14, 12, tzinfo=UTC))


def json_feed(*items: object, version: str = "https://jsonfeed.org/version/1.1") -> bytes:
    return json.dumps({"version": version, "title": "News", "items": items}).encode()


def test_json_with_line_breaks_in_strings_and_values_of_wrong_types_is_read():
    body = json_feed({"id": 1, "url": True, "title": "A|B", "content_text": None}).replace(b"|", b"\n")
    (entry,) = parse(body, url=HERE).entries
    assert (entry.identity, entry.url, entry.title, entry.html) == ("1", None, "A B", "")


def test_json_feed_is_parsed():
    feed = parse(
        json_feed(
            {
                "id": 7,
                "url": "/one",
                "title": "One &amp; two",
                "content_html": "<p>First <b>words</b></p>",
                "summary": "1 < 2",
                "authors": [{"name": "Ann"}],
                "date_published": "2026-03-14T12:00:00+01:00",
                "image": "/one.jpg",
                "tags": ["Town", 3],
            },
            {"id": "b", "external_url": "http://e.example/", "content_text": "1 < 2\x00\ud800", "tags": "a, b"},
            {"id": "c", "title": "Old", "author": {"name": "Bob"}, "date_published": "14 March", "authors": []},
            "no item",
        ),
        url=HERE,
    )
    assert feed.title == "News"
    assert feed.entries == (
        FeedEntry(
            identity="7",
            url="http://news.example/one",
            title="One & two",
            summary="1 < 2",
            html="<p>First <strong>words</strong></p>",
            has_whole_text=True,
            author="Ann",
            published_at=datetime(2026, 3, 14, 11, tzinfo=UTC),
            pictures=(LeadPicture(url="http://news.example/one.jpg"),),
            categories=("Town",),
        ),
        FeedEntry(
            identity="b",
            url="http://e.example/",
            title="1 < 2",
            summary="",
            html="1 &lt; 2",
            has_whole_text=True,
            categories=("a", "b"),
        ),
        FeedEntry(identity="c", url=None, title="Old", summary="", html="", author="Bob", has_own_link=False),
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "broken JSON"),
        (b"{" * 1_000_000, "broken JSON"),
        (b'{"version": 1}', "not a JSON Feed"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": {}}', "not a JSON Feed"),
        (b"<opml><body/></opml>", "XML, but not a feed"),
        (b"<!doctype html><html>", "web page"),
        (b"", "neither"),
    ],
)
def test_a_document_that_is_no_feed_is_refused_with_the_reason(body, reason):
    with pytest.raises(FeedUnreadable, match=reason):
        parse(body, url=HERE)


def test_a_feed_without_entries_is_valid():
    assert parse(rss(""), url=HERE).entries == parse(json_feed(), url=HERE).entries == ()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("mail@news.example (Ann Writer)", "Ann Writer"),
        ("Ann Writer &lt;mail@news.example&gt;", "Ann Writer"),
        ("Ann Writer", "Ann Writer"),
        ("Ann (of the desk)", "Ann (of the desk)"),
        ("mail@news.example", ""),
    ],
)
def test_an_author_is_a_name_without_an_address(written, name):
    assert item(f"<title>T</title><author>{written}</author>").author == name


def test_the_identity_is_the_id_else_the_link_else_a_hash_of_the_text():
    assert item("<guid>tag:x</guid><title>T</title>").identity == "tag:x"
    assert item("<title>T</title><link>/a</link>").identity == "http://news.example/a"
    nameless = item("<title>T</title>").identity
    assert nameless.startswith("sha256:")
    assert nameless != item("<title>T</title><description>more</description>").identity
    assert len(item(f"<guid>tag:{'x' * 1000}</guid><title>T</title>").identity) == len(nameless)


def test_an_id_that_is_no_url_is_not_used_as_a_link():
    assert item("<guid>12345</guid><title>T</title>").url is None
    assert item("<guid>http://news.example/1</guid><title>T</title>").url == "http://news.example/1"


def test_an_entry_without_a_title_gets_its_first_words_or_its_link():
    words = "Good morning to all of you who have waited for the first bus in the rain, and did not give up"
    entry = item(f"<link>/a</link><description>{words}</description>")
    assert (entry.title, entry.summary) == (words, "")
    entry = item(f"<link>/a</link><description>{words}, although it came so late that day</description>")
    assert entry.title == "Good morning to all of you who have waited for the first bus…"
    assert entry.summary == "… in the rain, and did not give up, although it came so late that day"
    assert item("<link>http://news.example/a/</link>").title == "news.example/a"


@pytest.mark.parametrize(
    ("text", "title", "summary"),
    [
        ("Good morning.", "Good morning.", ""),
        ("And then…", "And then…", ""),
        (
            "The bus is late, and the tram and the boat. " + "Why " * 30,
            "The bus is late, and the tram and the boat.",
            "Why ",
        ),
        ("雨" * 90, "雨" * 27 + "…", "… " + "雨" * 63),
    ],
)
def test_a_title_made_from_the_text_is_not_repeated_in_the_summary(text, title, summary):
    entry = item(f"<link>/a</link><description>{text}</description>")
    assert entry.title == title
    assert entry.summary.startswith(summary)
    assert bool(entry.summary) == bool(summary)


def test_a_summary_under_a_given_title_stays_whole():
    assert item("<title>The bus</title><description>The bus is late.</description>").summary == "The bus is late."


def test_an_entry_with_neither_title_nor_text_nor_link_is_left_out():
    assert parse(rss("<item><guid>x</guid><category>Town</category></item>"), url=HERE).entries == ()
    assert item("<description>A note.</description>").title == "A note."


def test_a_title_is_one_line_of_plain_text():
    assert item("<title>A&#13;&#10;Bcc: b@c.example</title>").title == "A Bcc: b@c.example"
    assert item("<title>=?utf-8?q?=0ABcc:_x=40y.z?=</title>").title == "=?utf-8?q?=0ABcc:_x=40y.z?="
    assert item("<title>{{ 7*7 }}</title>").title == "{{ 7*7 }}"
    assert item("<title>&lt;b&gt;Bold&lt;/b&gt; &amp;eacute;</title>").title == "Bold é"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "http://[", "mailto:a@b.example"])
def test_only_web_links_are_kept(link):
    assert item(f"<title>T</title><link>{link}</link>").url is None


def test_passwords_in_urls_are_removed():
    text = '&lt;a href="/b"&gt;b&lt;/a&gt; &lt;a href=" //ann:hush@e.example/c"&gt;c&lt;/a&gt;&lt;img src="/d.png"&gt;'
    body = rss(f"<item><link>/a</link><description>{text}</description></item><item><link>/e</link></item>")
    first, second = parse(body, url="http://ann:hush@news.example/feed").entries
    assert first.url == "http://news.example/a"
    assert first.pictures == (LeadPicture(url="http://news.example/d.png"),)
    assert first.html == '<a href="http://news.example/b">b</a> <a href="http://e.example/c">c</a>'
    assert second.title == "news.example/e"
    assert "hush" not in repr((first, second))
    assert (
        item("<title>T</title><link>http://ann:hush@e.example/@ann?to=a@b</link>").url == "http://e.example/@ann?to=a@b"
    )


def test_an_html_entity_does_not_break_a_feed():
    assert item("<title>Caf&eacute;&nbsp;&amp; bar</title>").title == "Café & bar"


def test_an_unencoded_ampersand_does_not_break_a_feed():
    assert item("<title>Salt & pepper</title>").title == "Salt & pepper"


@pytest.mark.parametrize("written", ["2026/3/14 12:00:00", "Sat, 14 Mar 2026 12:00:00 GMT", "2026-03-14T13:00+01:00"])
def test_common_date_formats_are_parsed(written):
    assert item(f"<title>T</title><pubDate>{written}</pubDate>").published_at == datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", "yesterday", "2026/13/14 12:00:00", "0000-00-00", "9" * 1000, "1970-01-01"])
def test_a_date_that_cannot_be_believed_is_none(written):
    assert item(f"<title>T</title><pubDate>{written}</pubDate>").published_at is None


def test_the_date_is_that_of_publication_else_of_creation_else_of_the_last_update():
    created, updated = (
        '<t:created xmlns:t="http://purl.org/dc/terms/">2026-03-13</t:created>',
        "<dc:date>2026-03-14T12:00:00Z</dc:date>",
    )
    first, second, third = (datetime(2026, 3, day, 12 * (day == 14), tzinfo=UTC) for day in (12, 13, 14))
    assert item(f"<title>T</title>{updated}{created}<pubDate>12 Mar 2026</pubDate>").published_at == first
    assert item(f"<title>T</title>{updated}{created}<pubDate>1 Jan 1970</pubDate>").published_at == second
    assert item(f"<title>T</title>{updated}<pubDate>soon</pubDate>").published_at == third


def test_the_feed_s_language_decides_what_its_dates_mean():
    dates = "<item><title>T</title><pubDate>04/05/2026</pubDate></item>"
    for language, month in (("en-us", 4), ("en-gb", 5), ("", 5)):
        feed = parse(rss(dates, head=f"<language>{language}</language>"), url=HERE)
        assert (feed.language, feed.entries[0].published_at) == (language, datetime(2026, month, 9 - month, tzinfo=UTC))
    dated = {"id": "1", "title": "T", "date_published": "soon", "date_modified": "14. listopada 2025"}
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "language": "hr", "items": [dated]}).encode()
    assert parse(body, url=HERE).entries[0].published_at == datetime(2025, 10, 14, tzinfo=UTC)


def test_a_date_is_believed_until_two_years_ahead():
    body = rss("<item><title>T</title><pubDate>1 Mar 2027 09:00 GMT</pubDate></item>")
    for now, published in ((2026, datetime(2027, 3, 1, 9, tzinfo=UTC)), (2020, None)):
        (entry,) = parse(body, url=HERE, now=datetime(now, 1, 1, tzinfo=UTC)).entries
        assert entry.published_at == published


@pytest.mark.parametrize(
    "markup",
    [
        "<title>Salt &amp; pepper</title><description>one<br>two</description>",
        "<title>Salt & pepper</title><description>one</p></descriptoin></description>",
        "<title>Salt & pepper</title><media:thing><description>a</media:thing></description>",
        "<title>Salt &#x26; pepper\x01\x0c</title><unknown:prefix>a</unknown:prefix>",
        "<title>Salt & pepper</title><description>a < b</description><enclosure url=/a.mp3 length=1>",
    ],
)
def test_broken_markup_costs_no_item(markup):
    feed = parse(rss(f"<item>{markup}</item><item><title>Second</title></item>"), url=HERE)
    assert [entry.title for entry in feed.entries] == ["Salt & pepper", "Second"]
    assert feed.is_complete


def test_the_lead_picture_is_the_declared_one_else_the_first_that_is_not_tiny():
    text = '&lt;img src="/pixel.gif" width="1"&gt;&lt;img src="/b.jpg" alt="The bridge"&gt;'
    described = f"<title>T</title><link>/a</link><description>{text}</description>"
    assert item(described).pictures == (LeadPicture(url="http://news.example/b.jpg", alt="The bridge"),)
    assert item(described + '<media:thumbnail url="/t.png"/>').pictures == (
        LeadPicture(url="http://news.example/t.png"),
        LeadPicture(url="http://news.example/b.jpg", alt="The bridge"),
    )
    podcast = '<media:content url="/a.mp3" type="audio/mpeg"/><enclosure url="/a.mp3" type="audio/mpeg"/>'
    assert item("<title>T</title>" + podcast).pictures == ()


def test_entries_with_the_same_id_are_all_parsed():
    feed = parse(rss("".join(f"<item><guid>tag:1</guid><title>{n}</title></item>" for n in range(2))), url=HERE)
    assert [entry.title for entry in feed.entries] == ["0", "1"]


def test_an_entry_tells_whether_the_feed_gave_it_an_id():
    assert item("<guid>tag:x</guid><title>T</title>").has_own_identity
    assert not item("<title>T</title><link>/a</link>").has_own_identity


def test_only_the_first_entries_of_a_long_feed_are_parsed():
    items = "".join(f"<item><title>{n}</title></item>" for n in range(MAX_ENTRIES + 10))
    assert len(parse(rss(items), url=HERE).entries) == MAX_ENTRIES
