"""Sanitizing: only allowed HTML remains, and plain text stays readable."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from newsletter.content.parsing.texts.sanitizing import (
    MAX_CHARACTERS,
    TAGS,
    one_line,
    plain_text,
    sanitize,
)

PARTS = [
    *["<b>", "</b>", "<p>", "</p>", "<div>", "</div>", "<script>", "</script>", "<style>", "<a href='", "javascript:"],
    *[
        "<img src=x onerror=alert(1)>",
        "<svg><a xlink:href='",
        "<!--",
        "-->",
        "<math>",
        "<td>",
        "'>",
        '"',
        "x",
        " ",
        "&lt;",
    ],
    *[
        "&#106;avascript:",
        "<table>",
        "<a href=//x>",
        "<noscript><p title='</noscript>",
        "\x00",
        "<p style='",
        "<ul><li>",
    ],
]
markup = st.lists(st.sampled_from(PARTS), max_size=30).map("".join) | st.text()


@given(markup)
def test_only_allowed_elements_and_attributes_remain(html):
    for node in LexborHTMLParser(f"<body>{sanitize(html)}").css("body *"):
        assert node.tag in TAGS
        assert set(node.attributes) <= {"href"}
        assert (node.attributes.get("href") or "http:").startswith(("http:", "https:", "mailto:", "//"))


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ('<p>One.</p><a href="/a.jpg"><img src="/a.jpg"></a>', "<p>One.</p>"),
        ('<p>One<a href="/1"> <img src="/a.jpg"></a>two.</p>', "<p>One two.</p>"),
        ('<ul><li><figure><a href="/1"><img src="/a.jpg"></a></figure></li></ul>One.', "One."),
        ("<h2> </h2><blockquote><p></p></blockquote>One.", "One."),
    ],
)
def test_nothing_remains_around_a_picture_that_leaves(html, clean):
    assert sanitize(html, base="http://news.example/") == clean


@given(markup)
def test_sanitizing_twice_changes_nothing(html):
    clean = sanitize(html)
    assert sanitize(clean) == clean


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]) | st.just(" ")))
def test_escaped_text_reads_back_as_plain_text(text):
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert plain_text(escaped) == " ".join(text.split())


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<div>One <b>bold</b></div><div>Two</div>", "<p>One <strong>bold</strong></p><p>Two</p>"),
        ("<h1 class=x id=y title='>' lang=de>Head</h1>a<br/>b", "<h2>Head</h2>a<br>b"),
        ("<a href='javascript:alert(1)' onclick='x()'>here</a>", "<a>here</a>"),
        ("<p>a<script>alert(1)</script><style>p{}</style>b<img src=x>", "<p>ab</p>"),
        ("<table><tr><td>1<td>2</table>", "<p>1</p><p>2</p>"),
        ("1 < 2 &amp; 3", "1 &lt; 2 &amp; 3"),
    ],
)
def test_html_is_reduced_to_the_allowed_elements(html, clean):
    assert sanitize(html) == clean


def test_relative_links_are_resolved():
    html = "<a href='/b?c=1&amp;d'>1</a><a href='mailto:a@b.example'>2</a><a href='https://e.example/'>3</a>"
    assert sanitize(html, base="http://x.example/a") == (
        '<a href="http://x.example/b?c=1&amp;d">1</a><a href="mailto:a@b.example">2</a><a href="https://e.example/">3</a>'
    )
    assert sanitize("<a href='/b'>1</a>") == "<a>1</a>"


def test_words_of_separate_blocks_are_not_joined():
    assert plain_text("<p>One</p><p>T<b>w</b>o<br>three</p><ul><li>four<li>five</ul>") == "One Two three four five"
    assert plain_text("<p title='a>b'>c</p>") == "c"
    assert plain_text("a &lt;b&gt; &amp;amp;<script>x</script>") == "a <b> &amp;"


def test_template_and_header_syntax_stays_text():
    assert plain_text("{{ 7*7 }} =?utf-8?q?x?=") == "{{ 7*7 }} =?utf-8?q?x?="


def test_a_line_contains_no_control_characters():
    assert one_line("a\r\nBcc: b\x00\x85\u2028c\ud800d\u202ee ") == "a Bcc: b c de"


@pytest.mark.parametrize(
    "html",
    [
        *["<b>" * 50_000, "<blockquote>" * 50_000, "<ul><li>" * 50_000, "<div></b>" * 30_000, "<table><td>" * 20_000],
        *["<svg><desc>" * 18_000, "<" * 200_000, "<a<" * 60_000, "<p>" * 60_000, "<!--" * 50_000, "<a href='" * 20_000],
    ],
    ids=lambda html: html[:12],
)
def test_deep_nesting_does_not_take_long(html):
    before = process_time()
    sanitize(html + "end")
    plain_text(html + "end")
    assert process_time() - before < 1


def test_html_nested_too_deeply_becomes_text():
    assert sanitize("<div>" * 500 + "a &lt;b&gt;" + "</div>" * 500) == "a &lt;b&gt;"
    assert sanitize("<p>one" * 500).count("<p>one</p>") == 500


def test_html_over_the_size_limit_is_cut_between_elements():
    html = sanitize("<p>some words</p>" * 50_000)
    assert MAX_CHARACTERS * 0.9 < len(html) <= MAX_CHARACTERS
    assert html.endswith("some words</p>")


@pytest.mark.parametrize(
    ("html", "start"),
    [
        ("<a href='b'>c</a> " * 1000, f'<a href="http://press.example/{"a" * 1900}/b">c</a> <a'),
        ("<table><tr><td>" + "<b><i>" * 40 + "<p>word" * 5000, "<p>"),
        ("<p>" + ">" * 190_000, "<p>&gt;&gt;"),
        ("word " * 50_000, "word word"),
    ],
    ids=["base", "formatting", "escapes", "one text"],
)
def test_html_that_grows_or_has_few_tags_is_cut_to_the_size_limit(html, start):
    safe = sanitize(html, base=f"http://press.example/{'a' * 1900}/")
    assert MAX_CHARACTERS * 0.9 < len(safe) < MAX_CHARACTERS + 100
    assert safe.startswith(start)
    assert sanitize(safe) == safe


def test_a_base_that_is_no_address_removes_relative_links():
    html = sanitize('<p><a href="/1">One</a> <a href="http://x.example/2">two</a></p>', base="http://</x.example/")
    assert html == '<p><a>One</a> <a href="http://x.example/2">two</a></p>'
