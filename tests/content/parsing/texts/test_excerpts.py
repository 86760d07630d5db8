"""Titles and excerpts: neither repeats the other, and an item without a title takes its first sentence."""
# ruff: noqa: RUF001 - the quotation marks and dashes of many languages

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.parser import parse
from newsletter.content.parsing.texts.excerpts import NOT_WORDS
from newsletter.content.parsing.texts.sanitizing import plain_text
from tests.content.parsing.feeds import HERE, atom_entry, described, json_entry, rss_entry


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("<h1>The library</h1><p>It opens on Monday.</p>", "It opens on Monday."),
        ("<p>The library</p><p>It opens on Monday.</p>", "It opens on Monday."),
        ("The library. It opens on Monday.", "It opens on Monday."),
        ("THE LIBRARY – it opens on Monday.", "it opens on Monday."),
        ("“The library”", ""),
        ("<p>The library!</p>", ""),
        ("The lib…", ""),
        ("The library opens on Monday.", "The library opens on Monday."),
        ("The librarypost is late.", "The librarypost is late."),
    ],
)
def test_an_excerpt_does_not_repeat_the_title(text, summary):
    assert described(text).summary == summary


def test_the_content_is_the_excerpt_if_the_summary_only_repeats_the_title():
    content = "<content:encoded>&lt;p&gt;It opens on Monday.&lt;/p&gt;</content:encoded>"
    entry = rss_entry(f"<title>The library</title><description>The library</description>{content}")
    assert entry.summary == "It opens on Monday."


def test_an_item_of_text_alone_has_its_first_sentence_as_title():
    entry = rss_entry("<description>Only a note, without a title. It says more.</description>")
    assert (entry.title, entry.summary) == ("Only a note, without a title.", "It says more.")
    entry = json_entry({"content_text": "Dr. Ann opens the bridge at 3.5 metres. It says more."})
    assert (entry.title, entry.summary) == ("Dr. Ann opens the bridge at 3.5 metres.", "It says more.")
    entry = described("<p>New pictures</p><p>They show the bridge.</p>", title="")
    assert (entry.title, entry.summary) == ("New pictures", "They show the bridge.")


def test_a_title_that_is_the_beginning_of_the_text_is_none():
    note = "The bridge opens at noon. It is the longest of all in the country, and the oldest that still carries trams."
    for title in (note, f"{note[:50]}…", f"{note[:50]}...", f"{note[:12]} […]"):
        entry = json_entry({"title": title, "content_text": note})
        assert (entry.title, entry.summary) == ("The bridge opens at noon.", note[26:])
    for title in ("The bridge opens", "The bridge opens at noon.", "And then…"):
        assert json_entry({"title": title, "content_text": note}).title == title


WORDS = st.text("abcÄ雨", min_size=2, max_size=9)
NOTES = st.lists(
    st.tuples(st.lists(WORDS, min_size=1, max_size=30).map(" ".join), st.sampled_from([". ", "! ", "? ", "。", " "])),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(f"{text.capitalize()}{mark}" for text, mark in parts).strip())


@given(NOTES)
def test_the_headline_and_the_excerpt_of_a_note_are_its_beginning(note):
    entry = json_entry({"content_text": note})
    shown = NOT_WORDS.sub("", entry.title + entry.summary)
    assert NOT_WORDS.sub("", note).startswith(shown)
    assert entry.title
    assert entry.summary or shown == NOT_WORDS.sub("", note), "nothing of the note is lost between the two"
    assert len(entry.title) <= 141


def test_the_title_of_a_picture_alone_is_its_address():
    assert described('<img src="/a.jpg">', title="").title == "news.example/1"


@pytest.mark.parametrize("first", ["<description>Short.</description>", ""])
def test_the_longest_text_is_the_body_and_the_summary_the_excerpt(first):
    encoded = "<content:encoded>&lt;p&gt;The whole story of the bridge.&lt;/p&gt;</content:encoded>"
    entry = rss_entry(f"<title>T</title>{first}{encoded}")
    assert entry.html == "<p>The whole story of the bridge.</p>"
    assert entry.summary == ("Short." if first else "The whole story of the bridge.")


def test_a_content_that_is_shorter_than_the_description_is_not_the_body():
    texts = "<description>The whole story of the bridge.</description><content:encoded>Short.</content:encoded>"
    entry = rss_entry(f"<title>T</title>{texts}")
    assert entry.html == "The whole story of the bridge."


def test_the_texts_of_a_media_file_are_not_those_of_the_entry():
    file = '<media:content url="/a.jpg"><media:title>A file</media:title><media:description>A cat</media:description>'
    texts = "<title>T</title><description>The story.</description>"
    for markup in (f"{texts}{file}</media:content>", f"{file}</media:content>{texts}"):
        entry = rss_entry(markup)
        assert (entry.title, entry.summary, entry.html) == ("T", "The story.", "The story.")


def test_a_text_is_read_by_its_declared_type():
    assert atom_entry("<title>T</title><summary>1 &lt; 2 and a &lt;b c</summary>").summary == "1 < 2 and a <b c"
    assert (
        atom_entry('<title>T</title><summary type="html">&lt;p&gt;1 &amp;lt; 2&lt;/p&gt;</summary>').summary == "1 < 2"
    )
    binary = '<content type="application/pdf">JVBERi0xLjQgbm90IGEgdGV4dCBidXQgYSBkb2N1bWVudA==</content>'
    assert atom_entry(f"<title>T</title><summary>Short.</summary>{binary}").html == "Short."
    assert atom_entry(f"<title>T</title>{binary}").html == ""


WHOLE = f"<p>{'The whole story of the bridge is long. ' * 9}</p>"


def test_the_whole_text_is_known_where_feeds_give_it_and_nothing_says_that_it_goes_on():
    def of_rss(content: str, summary: str = "The story of the bridge.") -> bool:
        texts = f"<description><![CDATA[{summary}]]></description>"
        if content:
            texts += f"<content:encoded><![CDATA[{content}]]></content:encoded>"
        return rss_entry(f"<title>T</title>{texts}").has_whole_text

    assert of_rss(WHOLE)
    assert of_rss(f"{WHOLE}<p>The post <a href='/1'>T</a> appeared first on <a href='/'>News</a>.</p>")
    assert not of_rss("", summary=WHOLE), "a description may be an extract"
    assert not of_rss(WHOLE, summary=WHOLE)
    assert not of_rss("The whole story.", summary=WHOLE)
    for end in (" […]", "…", "...", "<p><a href='/1'>Read more</a></p>", " <a href='/1'>Continue reading “T”</a>"):
        assert not of_rss(WHOLE.replace("</p>", "") + end), end
    assert atom_entry(f'<title>T</title><content type="html"><![CDATA[{WHOLE}]]></content>').has_whole_text
    assert not atom_entry(f'<title>T</title><summary type="html"><![CDATA[{WHOLE}]]></summary>').has_whole_text
    assert json_entry({"title": "T", "content_html": WHOLE}).has_whole_text
    assert json_entry({"title": "T", "content_text": plain_text(WHOLE), "summary": "A bridge."}).has_whole_text
    assert not json_entry({"title": "T", "summary": plain_text(WHOLE)}).has_whole_text


def page_and_language(body: str) -> tuple[str | None, str]:
    feed = parse(body.encode(), url=HERE)
    return feed.link, feed.language


def test_the_page_and_the_language_of_a_feed_are_read():
    channel = '<rss version="2.0"><channel><title>T</title>{}</channel></rss>'
    assert page_and_language(channel.format("<link>/town</link><language>de_AT</language>")) == (
        "http://news.example/town",
        "de-AT",
    )
    assert page_and_language(channel.format("<language>nobody knows</language>")) == (None, "")
    atom = '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr"><title>T</title><link href="/fr"/></feed>'
    assert page_and_language(atom) == ("http://news.example/fr", "fr")
    document = {"version": "https://jsonfeed.org/version/1.1", "home_page_url": "/j", "language": "pt-BR", "items": []}
    assert page_and_language(json.dumps(document)) == ("http://news.example/j", "pt-BR")
