"""Unescaping: text that a feed escapes once too often is read as its writer meant it."""
# ruff: noqa: RUF001 - the quotation marks and dashes of many languages

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.texts.unescaping import html_from_html, html_from_text, plain_line
from tests.content.parsing.feeds import atom_entry, described, json_entry, rss_entry


@pytest.mark.parametrize("is_html", [True, False])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("R&uuml;ckblick &amp; mehr &#8217;26", "Rückblick & mehr ’26"),
        ("Ann&apos;s &quot;bridge&quot; &#x2013; open", 'Ann\'s "bridge" – open'),
        ("Salt &amp;amp; pepper", "Salt & pepper"),
        ("Salt & pepper; fish&chips", "Salt & pepper; fish&chips"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("&nosuch; &#0; stays", "&nosuch; &#0; stays"),
        ("a < b and c > d", "a < b and c > d"),
        ("Use <b> sparingly", "Use <b> sparingly"),
        ("A <b>bold</b> <em class='x'>word</em>", "A bold word"),
        ("&lt;b&gt;Bold&lt;/b&gt; move", "Bold move"),
        ("H<sub>2</sub>O<br/>and more", "H2O and more"),
        ("<![CDATA[Own words]]>", "Own words"),
        ("雨 &amp; 風", "雨 & 風"),
    ],
)
def test_a_title_is_read_as_its_writer_meant_it(written, meant, is_html):
    assert plain_line(written, is_html=is_html) == meant


@given(st.text(max_size=60), st.booleans())
def test_a_line_never_raises_and_reads_the_same_again(text, is_html):
    line = plain_line(text, is_html=is_html)
    assert "\n" not in line
    assert plain_line(line) == line


def test_text_becomes_html_that_says_the_same():
    assert html_from_text("1 < 2 &amp; 3") == "1 &lt; 2 &amp; 3"
    assert html_from_text("One.\n\nTwo.") == "<p>One.</p><p>Two.</p>"
    assert html_from_text("<p>In spite of the type</p>") == "<p>In spite of the type</p>"


def test_html_that_was_escaped_twice_is_html():
    assert html_from_html("&lt;p&gt;My text.&lt;/p&gt;") == "<p>My text.</p>"
    assert html_from_html("&amp;lt;p&amp;gt;My text.&amp;lt;/p&amp;gt;") == "<p>My text.</p>"
    assert html_from_html("<p>Write &lt;p&gt;x&lt;/p&gt;</p>") == "<p>Write &lt;p&gt;x&lt;/p&gt;</p>"
    assert html_from_html("1 &lt; 2") == "1 &lt; 2"


def test_every_text_of_a_feed_is_unescaped():
    entry = rss_entry(
        "<title>A &amp;amp; B</title><dc:creator>Ann &amp;amp; Bob</dc:creator>"
        "<category>Arts &amp;amp; Culture</category><description>Tom &amp;amp; Ann &amp;#8217;26</description>"
    )
    assert (entry.title, entry.author, entry.categories) == ("A & B", "Ann & Bob", ("Arts & Culture",))
    assert entry.summary == "Tom & Ann ’26"
    entry = json_entry(
        {"title": "A &amp; B", "summary": "Tom &amp; Ann", "tags": ["R&amp;D"], "authors": [{"name": "O&#039;Neil"}]}
    )
    assert (entry.title, entry.summary, entry.author, entry.categories) == ("A & B", "Tom & Ann", "O'Neil", ("R&D",))


def test_the_declared_type_of_a_title_is_respected():
    assert atom_entry('<title type="html">A &amp;lt; B</title>').title == "A < B"
    assert atom_entry('<title type="text">The &lt;div&gt; element</title>').title == "The <div> element"
    xhtml = '<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>bold</b> word</div></title>'
    assert atom_entry(xhtml).title == "A bold word"


def test_the_markers_of_a_cdata_section_are_no_text():
    entry = rss_entry("<title>T</title><description>&lt;![CDATA[&lt;p&gt;My text.&lt;/p&gt;]]&gt;</description>")
    assert (entry.summary, entry.html) == ("My text.", "<p>My text.</p>")
    assert described("&lt;![CDATA[My text.").summary == "My text."
