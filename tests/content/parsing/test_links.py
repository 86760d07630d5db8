"""Links: an entry's page is found wherever its feed writes it, and relative addresses begin where they are written."""

import pytest

from newsletter.content.parsing.feed_links import web_address
from newsletter.content.parsing.parser import parse
from tests.content.parsing.feeds import HERE, atom_entry, described, json_entry, rss_entry

TITLE = "<title>T</title>"
CHANNEL = "<link>http://site.example/</link>"


@pytest.mark.parametrize(
    ("markup", "url"),
    [
        ("<link>http://site.example/1</link>", "http://site.example/1"),
        ("<link>\n  http://site.example/a b\n</link>", "http://site.example/a%20b"),
        ("<link>www.site.example/1</link>", "http://www.site.example/1"),
        ('<link href="http://site.example/1"/>', "http://site.example/1"),
        ('<link uri="at://did:x/1">http://site.example/1</link>', "http://site.example/1"),
        ('<link href="at://x/1"><![CDATA[http://site.example/1]]></link>', "http://site.example/1"),
        ('<atom:link rel="self" href="/s"/><atom:link href="http://site.example/1"/>', "http://site.example/1"),
        ("<link/><guid>http://site.example/1</guid>", "http://site.example/1"),
        ("<link>javascript:alert(1)</link><guid>http://site.example/1</guid>", "http://site.example/1"),
        ('<guid isPermaLink="true">http://site.example/1</guid>', "http://site.example/1"),
        ('<guid isPermaLink="false">http://site.example/1</guid>', "http://site.example/"),
        ("<guid>urn:uuid:1</guid>", "http://site.example/"),
        ("<link>/~r/1</link><feedburner:origLink>http://site.example/1</feedburner:origLink>", "http://site.example/1"),
        ('<enclosure url="http://cdn.example/1.mp3" type="audio/mpeg"/>', "http://cdn.example/1.mp3"),
        ('<link>/1</link><enclosure url="http://cdn.example/1.mp3"/>', "http://site.example/1"),
        ("<comments>http://site.example/c</comments>", "http://site.example/"),
        ("<link>#top</link>", "http://site.example/"),
    ],
)
def test_the_page_of_an_item_is_found_wherever_it_is_written(markup, url):
    assert rss_entry(TITLE + markup, channel=CHANNEL).url == url


def test_an_item_that_names_no_page_has_none_but_its_channels():
    assert rss_entry(TITLE, channel=CHANNEL).url == "http://site.example/"
    assert rss_entry(TITLE).url is None
    assert json_entry({"title": "T"}, home_page_url="http://site.example/home").url == "http://site.example/home"
    assert json_entry({"title": "T"}).url is None
    assert [rss_entry(TITLE + link, channel=CHANNEL).has_own_link for link in ("", "<link>/1</link>")] == [False, True]


def test_the_page_of_the_channel_is_no_identity():
    first, second = ("<item><title>One</title></item>", "<item><title>Two</title></item>")
    body = f'<rss version="2.0"><channel><title>T</title>{CHANNEL}{first}{second}</channel></rss>'
    assert len({entry.identity for entry in parse(body.encode(), url=HERE).entries}) == 2


def test_a_page_is_preferred_to_its_data():
    links = '<link type="application/json" href="/1.json"/><link type="text/html" href="/1"/><link href="/2"/>'
    assert atom_entry(TITLE + links).url == "http://news.example/1"
    assert atom_entry(TITLE + '<link type="application/pdf" href="/1.pdf"/>').url == "http://news.example/1.pdf"


def test_a_json_item_has_its_own_url_else_another_else_its_id_else_its_attachment():
    attached = {"title": "T", "attachments": [{"url": "http://cdn.example/1.mp3", "mime_type": "audio/mpeg"}]}
    assert json_entry({**attached, "url": "/1", "external_url": "/2"}).url == "http://news.example/1"
    assert json_entry({**attached, "external_url": "/2"}).url == "http://news.example/2"
    assert json_entry({**attached, "id": "http://site.example/1"}).url == "http://site.example/1"
    assert json_entry(attached).url == "http://cdn.example/1.mp3"


TEXT = '&lt;a href="more.html"&gt;the bridge&lt;/a&gt; &lt;img src="a.png"&gt;'


def addresses(entry) -> tuple[str, str]:
    return entry.html.partition('"')[2].partition('"')[0], entry.pictures[0].url


def test_relative_addresses_in_a_text_begin_at_the_items_page():
    entry = rss_entry(f"{TITLE}<link>http://site.example/2026/post/</link><description>{TEXT}</description>")
    assert addresses(entry) == ("http://site.example/2026/post/more.html", "http://site.example/2026/post/a.png")
    entry = json_entry(
        {"title": "T", "url": "/p/", "content_html": '<a href="more.html">the bridge</a><img src="a.png">'}
    )
    assert addresses(entry) == ("http://news.example/p/more.html", "http://news.example/p/a.png")


def test_relative_addresses_begin_at_the_declared_base():
    content = f'<link href="one"/><content type="html" xml:base="texts/">{TEXT}</content>'
    entry = atom_entry(TITLE + content, attributes='xml:base="http://site.example/blog/"')
    assert entry.url == "http://site.example/blog/one"
    assert addresses(entry) == ("http://site.example/blog/texts/more.html", "http://site.example/blog/texts/a.png")


def test_relative_addresses_without_a_page_begin_at_the_channel_else_at_the_feed():
    described_item = f"{TITLE}<description>{TEXT}</description>"
    assert addresses(rss_entry(described_item, channel="<link>http://site.example/town/</link>")) == (
        "http://site.example/town/more.html",
        "http://site.example/town/a.png",
    )
    assert addresses(rss_entry(described_item))[0] == "http://news.example/blog/more.html"
    assert atom_entry(TITLE + '<link href="one"/>').url == "http://news.example/blog/one"


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "data:text/html,x", "at://x/1", "mailto:a@b.example", "http:", "", "<a href='/1'>1</a>"],
)
def test_only_http_is_a_link(link):
    assert web_address(link, "") is None


def test_links_of_other_kinds_leave_the_text():
    entry = described(
        '<p><a href="at://did:x/1">a</a> <a href="data:text/html,x">b</a> <a href="JavaScript:x()">c</a></p>'
    )
    assert "href" not in entry.html
