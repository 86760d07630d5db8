"""The lead picture: found wherever a feed puts it, the largest real one first, with its own text alternative."""

import json
from html import escape
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.entries import FeedEntry
from newsletter.content.parsing.images.picture_candidates import LeadPicture
from newsletter.content.parsing.parser import parse

HERE = "http://news.example/feed"
MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/"'
NAMESPACES = f'{MEDIA} xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'


def rss(items: str, *, namespaces: str = NAMESPACES) -> bytes:
    return f'<rss version="2.0" {namespaces}><channel><title>News</title>{items}</channel></rss>'.encode()


def item(markup: str, text: str = "", **options) -> FeedEntry:
    """Return the only entry of a feed with this markup, and this HTML as its text."""
    described = f"<description>{escape(text)}</description>" if text else ""
    feed = rss(f"<item><title>The bridge opens</title>{markup}{described}</item>", **options)
    (entry,) = parse(feed, url=HERE).entries
    return entry


def names(entry: FeedEntry) -> list[str]:
    """Return the candidates' URLs, the best first, without the host."""
    return [picture.url.removeprefix("http://news.example/") for picture in entry.pictures]


@pytest.mark.parametrize(
    "markup",
    [
        '<media:content url="/a.jpg"/>',
        '<media:content url="/a"/>',
        '<media:content url="/a.php?id=1" medium="image"/>',
        '<media:content url="/a" type="image/jpeg"/>',
        '<media:content url="/a.jpg" type="application/octet-stream"/>',
        '<media:content url="/a" width="600" height="400"/>',
        '<media:group><media:content url="/a.jpg"/></media:group>',
        '<media:thumbnail url="/a"/>',
        "<media:thumbnail>http://news.example/a</media:thumbnail>",
        '<media:content url="/film.mp4" medium="video"><media:thumbnail url="/a"/></media:content>',
        '<enclosure url="/a" type="image/jpeg" length="0"/>',
        '<enclosure url="/a.jpg"/>',
        '<itunes:image href="/a"/>',
        "<image>http://news.example/a</image>",
        "<image><title>A</title><url>/a</url><link>/</link></image>",
        '<image url="/a"/>',
        "<thumb>/a.jpg</thumb>",
        '<link rel="enclosure" type="image/png" href="/a"/>',
        '<media:content url="/a.jpg:large"/>',
    ],
)
def test_a_picture_is_found_wherever_a_feed_declares_it(markup):
    assert len(item(f"<link>/post</link>{markup}").pictures) == 1


@pytest.mark.parametrize(
    "markup",
    [
        '<media:content url="/a.mp3"/>',
        '<media:content url="/a" type="audio/mpeg"/>',
        '<media:content url="/a.jpg" type="video/mp4"/>',
        '<media:content url="/a" medium="document"/>',
        '<media:content url="/a" duration="60"/>',
        '<media:content url="/a.svg" type="image/svg+xml"/>',
        '<media:content url="/a" type="image/avif"/>',
        '<enclosure url="/a.mp3" type="audio/mpeg"/>',
        '<enclosure url="/a"/>',
        '<enclosure url="/a.pdf" type="application/pdf"/>',
        '<media:content url="data:image/png;base64,iVBORw0KGgo="/>',
        '<media:content url="ftp://news.example/a.jpg"/>',
        '<media:thumbnail url=""/>',
        '<media:thumbnail url="http://[/a.jpg"/>',
        "<image>A picture</image>",
        '<source url="/other.xml"><image>http://news.example/a.jpg</image></source>',
    ],
)
def test_other_files_are_no_pictures(markup):
    assert item(markup).pictures == ()


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<media:content url="/s" width="140"/><media:content url="/l" width="460"/>', ["l", "s"]),
        (
            '<media:content url="/s" width="90" height="60"/><media:content url="/l" width="800" height="500"/>',
            ["l"],
        ),
        ('<media:thumbnail url="/s" width="150"/><media:content url="/l"/>', ["l", "s"]),
        ('<media:thumbnail url="/s"/><media:content url="/l"/>', ["l", "s"]),
        ('<media:content url="/s" width="240"/><media:content url="/l"/>', ["l", "s"]),
        ('<media:content url="/line" width="900" height="90"/><media:content url="/l" width="400"/>', ["l"]),
        ('<media:content url="/wide" width="3000"/><media:content url="/first" width="2000"/>', ["wide", "first"]),
        ('<media:content url="/l" width="0" height="0"/>', ["l"]),
        (
            '<media:group><media:content url="/s" width="320"/><media:content url="/l" width="1280"/></media:group>',
            ["l", "s"],
        ),
    ],
)
def test_of_several_declared_pictures_the_largest_comes_first(markup, expected):
    assert names(item(markup)) == expected


def test_a_picture_in_the_text_precedes_a_declared_one_only_if_that_is_small():
    text = '<img src="/text.jpg" width="800">'
    assert names(item('<media:content url="/a.jpg" medium="image"/>', text)) == ["a.jpg", "text.jpg"]
    assert names(item('<media:content url="/a.jpg" width="1200"/>', text)) == ["a.jpg", "text.jpg"]
    assert names(item('<media:thumbnail url="/a-150x150.jpg"/>', text)) == ["text.jpg", "a-150x150.jpg"]
    assert names(item('<media:thumbnail url="/a.jpg" width="72"/>', text)) == ["text.jpg"]
    assert names(item('<media:thumbnail url="/a.jpg"/>', '<img src="/text.jpg">')) == ["a.jpg", "text.jpg"]


def test_a_picture_that_is_named_twice_precedes_one_that_is_named_once():
    twice = (
        '<media:thumbnail url="/b"/><media:content url="/a" medium="image"/><media:content url="/b" medium="image"/>'
    )
    assert names(item(twice)) == ["b", "a"]
    once = '<media:content url="/a" medium="image"/><media:content url="https://news.example/b" medium="image"/>'
    assert names(item(once, '<img src="/b">'))[0] == "https://news.example/b"


@pytest.mark.parametrize(
    "image",
    [
        '<img src="https://secure.gravatar.com/avatar/0?s=300">',
        '<img src="/avatars/ann.png">',
        '<img src="/a.png" class="avatar avatar-96 photo">',
        '<div class="author-avatar"><a href="/ann"><img src="/ann.png"></a></div>',
        '<div class="author-box"><img src="/ann.png"></div>',
        '<div class="share-buttons"><a href="/f"><img src="/f.png"></a></div>',
        '<img src="https://stats.news.example/open.gif?id=1">',
        '<img src="https://s.w.org/images/core/emoji/15/72x72/1f600.png">',
        '<img src="/smile.png" class="wp-smiley">',
        '<img src="/smile.png" alt="🙂">',
        '<img src="/smile.png" style="height: 1em; max-height: 1em">',
        '<img src="/p.gif" width="1" height="1">',
        '<img src="/p.gif" height="1">',
        '<img src="/p.gif" style="width:1px;height:1px">',
        '<img src="/p.gif" style="display:none">',
        '<img src="/p.gif" hidden>',
        '<img src="/1x1.gif">',
        '<img src="https://stats.news.example/p.php?id=1">',
        '<img src="http://feeds.feedburner.com/~r/news/~4/0">',
        '<img src="https://pixel.wp.com/b.gif?host=news.example">',
        '<img src="https://ad.doubleclick.net/ad/0">',
        '<img src="https://img.shields.io/badge/build-passing.png">',
        '<div class="feedflare"><a href="/x"><img src="/share.png"></a></div>',
        '<img src="/apple-touch-icon-180.png">',
        '<img src="/logo.svg">',
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        "<img>",
        '<img src="">',
    ],
)
def test_avatars_emoji_pixels_and_buttons_are_left_out(image):
    text = f'<p>{image}</p><p><img src="/bridge.jpg" alt="The bridge"></p>'
    assert item("", text).pictures == (LeadPicture(url="http://news.example/bridge.jpg", alt="The bridge"),)


@pytest.mark.parametrize(
    "image",
    [
        '<img src="https://stats.town.example/population.png">',
        '<img src="/2026/pixel/telephone.jpg">',
        '<img src="/2026/avatar/film.jpg" width="800" height="450">',
        '<div class="entry-content share-enabled"><p><img src="/a.jpg"></p></div>',
        '<figure class="has-icon"><img src="/a.jpg"></figure>',
    ],
)
def test_a_name_that_resembles_a_counter_or_a_button_costs_no_picture(image):
    assert len(item("", image).pictures) == 1


@pytest.mark.parametrize("alt", ["cat", "Covid-19", "U-Bahn", "Jean-Luc", "H2O", "co-operation", "The Boeing 747"])
def test_a_short_text_alternative_is_none_of_a_program(alt):
    assert item("", f'<img src="/a.jpg" alt="{alt}">').pictures[0].alt == alt


def test_an_image_whose_name_speaks_of_a_logo_or_that_shows_the_author_comes_last():
    text = '<img src="/logo-of-the-town.png"><img src="/ann.jpg" alt="Ann Writer"><img src="/bridge.jpg">'
    assert names(item("<author>Ann Writer</author>", text)) == ["bridge.jpg", "logo-of-the-town.png", "ann.jpg"]


@pytest.mark.parametrize(
    "image",
    [
        '<img src="data:image/gif;base64,R0lGOD" data-src="/a.jpg">',
        '<img src="/loading.jpg" data-src="/a.jpg">',
        '<img src="/spacer.gif" data-lazy-src="/a.jpg">',
        '<img src="/spacer.gif" data-original="/a.jpg">',
        '<img src="data:image/svg+xml,x" data-orig-file="/a.jpg">',
        '<img src="data:image/svg+xml,x" data-id="7" data-permalink="/p" data-large-file="/a.jpg">',
        '<img src="/placeholder.png" nitro-lazy-src="/a.jpg">',
        '<img data-image="/a.jpg">',
        '<img src="/a.jpg" data-pin-media="/b.jpg">',
        '<img src="//[x/loading.gif" data-hi-res-src="/a.jpg">',
        '<img data-srcset="/s.jpg 320w, /a.jpg 900w">',
        '<img srcset="/s.jpg, /a.jpg 2x">',
        '<img srcset="/s.jpg 300w, /a.jpg 1200w, /xl.jpg 4000w" sizes="100vw">',
        '<noscript><img src="/a.jpg"></noscript>',
        '<picture><source srcset="/a.avif 900w" type="image/avif"><source srcset="/a.jpg 900w"><img></picture>',
        '<picture><source data-srcset="/a.jpg"><img src="data:image/gif;base64,R0lGOD"></picture>',
        '<amp-img src="/a.jpg"></amp-img>',
        '<video poster="/a.jpg"></video>',
        '<figure><a href="/post"><img src="/a.jpg"></a></figure>',
        '<img src=" /a.jpg#top ">',
    ],
)
def test_an_image_that_a_page_loads_later_or_in_several_sizes_is_found(image):
    assert names(item("", image))[0].partition("#")[0] == "a.jpg"


def test_the_commas_in_an_address_do_not_end_it():
    image = '<img srcset="/w_300,c_fill/a.jpg 300w, /w_900,c_fill/a.jpg 900w">'
    assert names(item("", image)) == ["w_900,c_fill/a.jpg"]


def test_a_browser_without_srcset_gets_the_second_candidate():
    assert names(item("", '<img src="/s.jpg" srcset="/l.jpg 1200w">')) == ["l.jpg", "s.jpg"]


def test_a_small_image_that_links_to_a_picture_is_the_small_version_of_it():
    assert names(item("", '<a href="/full.jpg"><img src="/small.jpg" width="200"></a>')) == ["full.jpg", "small.jpg"]
    assert names(item("", '<a href="/post.html"><img src="/small.jpg" width="200"></a>')) == ["small.jpg"]


def test_pictures_are_taken_from_whichever_of_summary_and_content_has_them():
    atom = """<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title>T</title>
        <summary type="html">&lt;img src="{}"></summary><content type="html">&lt;p>Text {}</content></entry></feed>"""
    (entry,) = parse(atom.format("/a.jpg", "").encode(), url=HERE).entries
    assert names(entry) == ["a.jpg"]
    (entry,) = parse(atom.format("/a.jpg", "&lt;img src='/b.jpg'>").encode(), url=HERE).entries
    assert names(entry) == ["b.jpg", "a.jpg"]


def test_atom_declares_pictures_as_links_and_as_content():
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title>T</title><link href="/post"/>
        <link rel="enclosure" type="image/jpeg" href="/a.jpg"/><link rel="enclosure" type="audio/mpeg" href="/a.mp3"/>
        <content type="image/png" src="/b.png"/><author><name>Ann</name>
        <image src="/portrait.jpg"/></author></entry></feed>"""
    (entry,) = parse(atom, url=HERE).entries
    assert names(entry) == ["a.jpg", "b.png"]


def test_json_feed_declares_pictures_as_image_banner_and_attachments():
    attachments = [
        {"url": "/talk.mp3", "mime_type": "audio/mpeg"},
        {"url": "/c", "mime_type": "image/png", "title": "The bridge at night"},
        {"url": "/d.jpg"},
        {"url": 5, "mime_type": "image/png"},
        "none",
    ]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "items": [
            {"id": "1", "title": "T", "image": "/a", "banner_image": "/b", "attachments": attachments},
            {"id": "2", "title": "T", "image": None, "attachments": {}, "content_html": '<img src="/e.jpg">'},
        ],
    }
    first, second = parse(json.dumps(feed).encode(), url=HERE).entries
    assert names(first) == ["a", "b", "c", "d.jpg"]
    assert first.pictures[2].alt == "The bridge at night"
    assert names(second) == ["e.jpg"]


@pytest.mark.parametrize(
    "inside",
    [
        '<media:content url="/a.jpg"><media:description>A cat on a sofa</media:description></media:content>',
        '<media:content url="/a.jpg"><media:title>A cat on a sofa</media:title></media:content>',
        (
            '<media:content url="/a.jpg"><media:title>IMG_2</media:title><media:text>A cat on a sofa</media:text>'
            "</media:content>"
        ),
        (
            '<media:group><media:description type="html">&lt;p&gt;A cat on a sofa&lt;/p&gt;</media:description>'
            '<media:content url="/a.jpg"/></media:group>'
        ),
        '<media:content url="/a.jpg"/><media:title>A cat on a sofa</media:title>',
        (
            f'<media:content url="/a.jpg"><media:title>A cat on a sofa</media:title><media:description>{"words " * 99}'
            "</media:description></media:content>"
        ),
    ],
)
def test_a_declared_picture_has_the_description_that_stands_with_it(inside):
    entry = item(f"{inside}<description>The bridge is open.</description>")
    assert entry.pictures == (LeadPicture(url="http://news.example/a.jpg", alt="A cat on a sofa"),)
    assert (entry.title, entry.summary) == ("The bridge opens", "The bridge is open.")
    assert entry.html == "The bridge is open."


def test_a_film_without_another_text_keeps_its_description():
    group = "<media:group><media:description>We walk over the bridge.</media:description></media:group>"
    assert item(group).summary == "We walk over the bridge."


def test_a_description_belongs_to_its_own_picture():
    markup = (
        '<media:content url="/ann.png" medium="image"><media:title>ann</media:title></media:content>'
        '<media:content url="/a.jpg" width="800"/>'
        '<media:content url="/b.jpg" width="700"><media:description>A dog</media:description></media:content>'
    )
    assert [(picture.url[-5:], picture.alt) for picture in item(markup).pictures] == [
        ("a.jpg", ""),
        ("b.jpg", "A dog"),
        ("n.png", ""),
    ]


@pytest.mark.parametrize("title", ["IMG_1234", "DSC 0042.JPG", "bridge-at-night-2", "ann", "photo", "The bridge opens"])
def test_a_file_name_a_user_and_the_headline_describe_no_picture(title):
    assert item(f'<media:content url="/a.jpg"><media:title>{title}</media:title></media:content>').pictures[0].alt == ""


def test_a_declared_picture_gets_its_text_alternative_from_the_text():
    exact = item(
        '<media:content url="http://news.example/a.jpg"/>', '<img src="https://news.example/a.jpg" alt="A bus">'
    )
    assert exact.pictures == (LeadPicture(url="http://news.example/a.jpg", alt="A bus"),)
    scaled = item('<media:content url="/a.jpg"/>', '<img src="/a-300x200.jpg?ssl=1" alt="A bus">')
    assert scaled.pictures[0] == LeadPicture(url="http://news.example/a.jpg", alt="A bus")


def test_an_image_without_a_text_alternative_gets_the_caption_of_its_figure():
    figure = '<figure><div><img src="/a.jpg"></div><figcaption>The <b>bridge</b> at night</figcaption></figure>'
    assert item("", figure).pictures[0].alt == "The bridge at night"
    assert item("", figure.replace("<img", '<img alt="A bridge"')).pictures[0].alt == "A bridge"
    classic = '<div class="wp-caption"><img src="/a.jpg"><p class="wp-caption-text">The bridge at night</p></div>'
    assert item("", classic).pictures[0].alt == "The bridge at night"


def test_at_most_five_candidates_are_kept_and_two_versions_of_one_picture():
    assert len(item("", "".join(f'<img src="/{n}.jpg">' for n in range(9))).pictures) == 5
    versions = "".join(f'<media:content url="/a.jpg?w={width}" width="{width}"/>' for width in (300, 600, 900, 1200))
    assert names(item(versions, '<img src="/b.jpg">')) == ["a.jpg?w=1200", "a.jpg?w=900", "b.jpg"]


def test_an_address_that_was_escaped_twice_is_read():
    assert names(item('<media:content url="/a.jpg?w=1&amp;amp;h=2"/>')) == ["a.jpg?w=1&h=2"]
    assert names(item("", '<img src="/a.jpg?x=1&amp;copy=2">')) == ["a.jpg?x=1&copy=2"]


@pytest.mark.parametrize(
    "alt", ["Tom &amp;amp; Ann", "Tom &amp;amp;amp; Ann", "&lt;b&gt;Tom&lt;/b&gt; &amp;amp; Ann", "Tom & Ann"]
)
def test_a_text_alternative_that_was_escaped_twice_is_read(alt):
    assert item("", f'<img src="/a.jpg" alt="{alt}">').pictures[0].alt == "Tom & Ann"


@pytest.mark.parametrize("namespaces", ["", 'xmlns:media="http://search.yahoo.com/mrss"'])
def test_a_forgotten_or_old_namespace_does_not_matter(namespaces):
    markup = '<media:content url="/a.jpg"><media:description>A cat</media:description></media:content>'
    assert item(markup, namespaces=namespaces).pictures[0].alt == "A cat"


def test_any_prefix_of_the_namespace_is_understood():
    markup = '<m:content url="/a.jpg"><m:description>A cat</m:description></m:content>'
    assert item(markup, namespaces=MEDIA.replace(":media", ":m")).pictures[0].alt == "A cat"


def test_the_pictures_of_a_broken_feed_belong_to_their_entries():
    items = "".join(
        f'<item><title>{n}</title><guid>{n}</guid><media:content url="/{n}.jpg"><media:description>Number {n}'
        f"</media:description></media:content>{'<p>a & b</i>' if n == 2 else ''}</item>"
        for n in range(4)
    )
    found = {entry.title: names(entry) for entry in parse(rss(items), url=HERE).entries}
    assert found == {str(n): [f"{n}.jpg"] for n in range(4)}


@pytest.mark.parametrize(
    "inside",
    [
        '<media:content url="/a.jpg">' * 20_000,
        '<media:content url="/a.jpg"/>' * 20_000,
        "<media:title>A</media:title>" * 20_000,
        f"<description>{escape('<img src=/a.jpg>' * 10_000)}</description>",
        f"<description>{escape('<img srcset=' + '/a,' * 60_000 + '>')}</description>",
        f"<description>{escape('<figure>' * 20_000 + '<img src=/a.jpg>')}</description>",
    ],
    ids=["nested", "many", "titles", "images", "commas", "figures"],
)
def test_a_hostile_entry_takes_little_time(inside):
    before = process_time()
    assert len(item(f"<link>/a</link>{inside}").pictures) <= 5
    assert process_time() - before < 3


@given(st.text(st.sampled_from("<>/ ='\",.:;&#ap12xw\n")), st.text(st.sampled_from('<>/ ="imgsrcet,.:0w')))
def test_random_markup_never_raises(declared, text):
    parse(rss(f"<item><title>T</title><media:content url='/a'>{declared}</media:content></item>"), url=HERE)
    item("", f"<img {text}><picture>{text}")
