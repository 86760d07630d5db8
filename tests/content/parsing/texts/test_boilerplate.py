"""Boilerplate: what publishing programs add to an article leaves it; the article's own words never do."""
# ruff: noqa: RUF001 - the quotation marks and dashes of many languages

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.texts.boilerplate import without_boilerplate
from newsletter.content.parsing.texts.sanitizing import plain_text
from tests.content.parsing.feeds import described

OWN = "The council met on Friday and chose a site for the library."


@pytest.mark.parametrize(
    "added",
    [
        "The post {link} appeared first on {site}.",
        "Der Beitrag {link} erschien zuerst auf {site}.",
        "L’article {link} est apparu en premier sur {site}.",
        "La entrada {link} se publicó primero en {site}.",
        "L'articolo {link} proviene da {site}.",
        "Het bericht {link} verscheen eerst op {site}.",
        "Artykuł {link} pochodzi z serwisu {site}.",
        "O post {link} apareceu primeiro em {site}.",
        "Inlägget {link} dök först upp på {site}.",
        "Сообщение {link} появились сначала на {site}.",
        "投稿 {link} は {site} に最初に表示されました。",
        "{link} was originally published in {site} on Medium, where people are continuing the conversation.",
        "This article was originally published on {site}.",
    ],
)
def test_the_notice_of_a_first_publication_leaves(added):
    notice = added.format(link='<a href="/1">The library</a>', site='<a href="/">News</a>')
    for html in (
        f"<p>{OWN}</p><p>{notice}</p>",
        f"<p>{OWN} {notice}</p>",
        f"{OWN}<br>\n{notice}",
        f"{OWN} {plain_text(notice)}",
    ):
        entry = described(html)
        assert entry.summary == OWN
        assert plain_text(entry.html) == OWN


@pytest.mark.parametrize(
    "phrase",
    [
        *["Continue reading...", "Continue reading “The library” →", "Continue reading The library", "Read more »"],
        *[
            "Read More Here →",
            "[Read more]",
            "Read the full story",
            "Keep reading on Medium »",
            "Comments (3)",
        ],
        *["Weiterlesen", "→ Weiterlesen", "Mehr lesen", "Lire la suite", "Lire la suite de The library", "Leer más »"],
        *[
            "Seguir leyendo",
            "Leggi tutto",
            "Continua a leggere…",
            "Lees meer",
            "Lees verder →",
            "Czytaj dalej",
            "Leia mais",
        ],
        *["Continuar a ler", "Läs mer", "Читать далее", "続きを読む", "阅读全文", "اقرأ المزيد", "Permalink", "∞"],
    ],
)
def test_the_invitation_to_read_on_leaves(phrase):
    link = f'<a href="/1">{phrase}</a>'
    for html in (f"<p>{OWN} {link}</p>", f"<p>{OWN}</p><p>{link}</p>", f"{OWN}<br><strong>{link}</strong>"):
        entry = described(html)
        assert entry.summary == OWN
        assert plain_text(entry.html) == OWN


def test_an_invitation_without_a_link_leaves_as_well():
    assert described(f"{OWN} Read more").summary == OWN
    assert described(f"<p>{OWN}</p><p>Weiterlesen</p>").summary == OWN


@pytest.mark.parametrize(
    "only",
    [
        '<a href="/c">Comments</a>',
        "Comments",
        '<a href="/1">Continue reading</a>',
        "<p>Article URL: <a href='/a'>http://a.example/</a></p><p>Comments URL: <a href='/c'>http://c.example/</a></p>",
        "<p>Points: 12</p><p># Comments: 3</p>",
        "&#32; submitted by <a href='/u/a'> /u/a </a> <br/> <a href='/l'>[link]</a> &#32; <a href='/c'>[comments]</a>",
        '<div class="sharedaddy"><h3>Share this:</h3><ul><li><a href="/f">Facebook</a></li></ul></div>',
        '<img src="/pixel.gif" width="1" height="1">',
    ],
)
def test_an_item_without_words_of_its_own_has_no_excerpt(only):
    assert described(only).summary == ""


@pytest.mark.parametrize(
    "beside",
    [
        '<p><a href="/f">Facebook</a> | <a href="/t">Twitter</a> | <a href="/e">E-mail</a></p>',
        '<p>Filed under: <a href="/t">Town</a>, <a href="/b">Books</a></p>',
        '<ul><li><a href="/2">The harbour</a></li><li><a href="/3">The bridge</a></li></ul>',
        "<p>See also:</p><ul><li><a href='/2'>The harbour</a></li></ul>",
        "<p>Sign up for our weekly newsletter!</p>",
        "<p>Jetzt unseren Newsletter abonnieren</p>",
        "<p>Photo by Ann Writer on Unsplash</p>",
        "<p>Foto: Ann Writer/dpa</p>",
        "<figure><img src='/a.jpg'><figcaption>The old reading room in winter.</figcaption></figure>",
        '<p class="wp-caption-text">The old reading room in winter.</p>',
        "<h2>A decision</h2>",
        "<p>Advertisement</p>",
    ],
)
def test_what_stands_beside_the_text_is_not_in_the_excerpt(beside):
    assert described(f"{beside}<p>{OWN}</p>").summary == OWN
    assert described(f"<p>{OWN}</p>{beside}").summary == OWN


@pytest.mark.parametrize(
    "own",
    [
        "You should read more.",
        "He wrote a book. I could not continue reading after the first page.",
        "She left comments on every page.",
        "The post office appeared first on the map of 1800, long before the church of the town did.",
        "Mehr Licht für die Stadt.",
        "Share prices fell, and more.",
        "We publish a newsletter about the harbour and its ships.",
        "Links and more",
        'The film is on <a href="/1">YouTube</a>.',
        'Follow her on <a href="/1">Mastodon</a>',
        'He walked the <a href="/1">Line</a>.',
        'Her book is called “<a href="/1">Continue reading</a>”',
        'She wrote one book: <a href="/1">Read the Story</a>',
        'Follow us on <a href="/1">foot</a>.',
    ],
)
def test_own_words_that_resemble_a_phrase_stay(own):
    entry = described(f"<p>{own}</p>")
    assert entry.summary == plain_text(entry.html) == plain_text(own)


@pytest.mark.parametrize(
    "own",
    [
        "Read more of the old poets and less of the new ones.",
        "Keep reading the classics aloud every evening.",
        "Lire plus de trente livres par an est possible.",
        "Leer más de diez libros al año es fácil.",
        "Mehr Bücher lesen",
        "Weiterlesen in der Bibel half ihm.",
        "Comments on the budget are due by Friday.",
        "Join the discussion about the bridge on Monday evening.",
        "Teilen auf Augenhöhe ist schwer.",
        "Copyright reform passed in parliament today.",
        "Images by young painters hang in the hall.",
        "Source: the spring in the hills above the town.",
        "Register with the town for the newsletter prize by Friday.",
        "This story was originally published by our grandmother.",
        "The feed is for the cattle.",
    ],
)
def test_free_words_are_an_invitation_or_a_notice_only_with_a_link_or_a_name(own):
    for html in (f"<p>{own}</p>", f"<p>{OWN}</p><p>{own}</p>", f"<p>{OWN} {own}</p>"):
        entry = described(html)
        assert entry.summary.endswith(own)
        assert plain_text(entry.html).endswith(own)


@pytest.mark.parametrize(
    "phrase",
    [
        'Read more about <a href="/1">the library</a>',
        '<a href="/1">Read more</a> of this report',
        "Read more at Town News",
        "Continue reading on news.example",
        '<a href="/1#comments">Comments on The library</a>',
        "Share on Facebook",
        "© 2026 Town News",
        "All rights reserved.",
        'The post <a href="/1">The library</a> first appeared on <a href="/">Town, Country &amp; Sea</a>.',
        'Follow us on <a href="/1">Mastodon</a>',
        'Via <a href="/1">Town News</a>',
        "2 posts - 1 participant",
        "Read full topic",
        "3 min read",
        "Lesezeit: 3 Minuten",
        "View this email in your browser",
    ],
)
def test_invitations_and_notices_with_a_link_or_a_name_leave(phrase):
    entry = described(f"<p>{OWN}</p><p>{phrase}</p>")
    assert (entry.summary, plain_text(entry.html)) == (OWN, OWN)


@pytest.mark.parametrize("label", ["Read also", "Lesen Sie auch", "À lire aussi", "Lee también", "Leggi anche"])
def test_a_link_to_another_article_stays_in_the_text_but_not_in_the_excerpt(label):
    entry = described(f'<p>{label}: <a href="/2">The harbor</a></p><p>{OWN}</p>')
    assert (entry.summary, plain_text(entry.html)) == (OWN, f"{label}: The harbor {OWN}")


def test_an_episode_s_excerpt_begins_with_its_own_words():
    assert described(f"Listen now (30 mins) | {OWN}").summary == OWN


def test_links_are_the_excerpt_if_there_is_nothing_else():
    assert described('<ul><li><a href="/2">The harbour</a></li><li><a href="/3">The bridge</a></li></ul>').summary == (
        "The harbour The bridge"
    )
    assert described(f'<a href="/1">{OWN}</a>').summary == OWN
    assert (
        described('<p><a href="/a">Ann Writer</a>:</p><blockquote>So it is.</blockquote>').summary
        == "Ann Writer: So it is."
    )


def test_a_text_that_its_publisher_cut_off_ends_with_an_ellipsis():
    link = '<a href="/1">Continue reading</a>'
    for mark in ("[&#8230;]", "[...]", " …", f"… {link}", link, "(…)", "&amp;hellip;"):
        assert described(f"<p>The council met on Friday and chose {mark}</p>").summary == (
            "The council met on Friday and chose…"
        )
    assert described(f"<p>{OWN} [&#8230;]</p>").summary == OWN


def test_a_link_that_says_only_more_stays_in_the_html():
    entry = described(f'<p>{OWN} <a href="http://news.example/1">(more…)</a></p>')
    assert entry.summary == OWN
    assert 'href="http://news.example/1"' in entry.html


def test_the_rest_of_the_html_stays_as_it_was():
    html = '<p>One <em>two</em></p><ul><li><a href="http://x.example/">three</a></li></ul>'
    assert without_boilerplate(html).html == html
    assert described(html + "<p>The post X appeared first on Y.</p>").html == html


PIECES = st.sampled_from(
    [
        *[
            "<p>",
            "</p>",
            "<a href='/x'>",
            "</a>",
            "<br>",
            "<b>",
            "</b>",
            "<ul><li>",
            "<h2>",
            "</h2>",
            "<!--",
            "-->",
            "<td>",
        ],
        *[
            "<script>",
            "</script>",
            "Read more",
            "Comments",
            OWN,
            " ",
            "…",
            "The post ",
            " appeared first on ",
            "[link]",
        ],
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_only_words_of_the_article_remain(html):
    readable = without_boilerplate(html)
    before, after = plain_text(html), plain_text(readable.html)
    assert len(after) <= len(before)
    assert without_boilerplate(readable.html).html == readable.html or len(after) < len(before)


@pytest.mark.parametrize(
    "html",
    [
        *[
            "the post " * 20_000,
            "<p>the post x " * 10_000,
            "<a href=x>more</a>" * 10_000,
            ". " * 90_000,
            "<b>" * 60_000,
        ],
        *["<p>continue reading “" * 9_000, "x was originally published in " * 6_000, "<i id=1>" * 90 + "<p>x" * 2_000],
    ],
    ids=lambda html: html[:12],
)
def test_long_texts_do_not_take_long(html):
    before = process_time()
    without_boilerplate(html)
    assert process_time() - before < 2
