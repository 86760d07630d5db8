"""Letter templates with usual, far too long and hostile contexts: the requirements of mail programs and the law."""

import quopri
import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter import templating
from newsletter.appearance import colors
from tests.templates.contexts import HOSTILE_TITLE, LONG_ISSUE, NEWSLETTER, TITLES, WORDING, article
from tests.templates.letter_contexts import (
    CONFIRMATION,
    DIGEST,
    FIELD,
    LETTERS,
    OPERATOR_LETTERS,
    PREFERENCES_LINK,
    opened,
)

ENVIRONMENT = templating.environment()
LINKS = {
    "address_change": ("change_address",),
    "address_notice": ("unsubscribe",),
    "confirmation": ("confirm", "never"),
    "digest": ("unsubscribe", "preferences"),
    "preferences_link": ("fresh_preferences", "unsubscribe"),
    "probe": ("unsubscribe",),
    "welcome": ("unsubscribe", "preferences"),
}
CASES = [(kind, case) for kind, cases in LETTERS.items() for case in cases]
FOR_OPERATORS = [(kind, case) for kind, cases in OPERATOR_LETTERS.items() for case in cases]


def written(kind, part, context):
    return ENVIRONMENT.get_template(f"letters/{kind}/{part}").render(context)


def body(kind, context):
    return LexborHTMLParser(written(kind, "body.html", context))


@pytest.fixture(params=[*CASES, *FOR_OPERATORS], ids="-".join)
def letter(request):
    kind, case = request.param
    return body(kind, (LETTERS | OPERATOR_LETTERS)[kind][case])


def test_language_and_direction_are_on_the_wrapper_because_mail_programs_drop_the_body(letter):
    wrapper = letter.css_first("body > *")
    assert wrapper.tag == "div"
    assert wrapper.attributes["role"] == "article"
    for element in (wrapper, letter.css_first("html")):
        assert element.attributes["lang"] == "en"
        assert element.attributes["dir"] == "ltr"


def test_every_table_has_the_role_presentation(letter):
    assert letter.css("table")
    assert all(table.attributes.get("role") == "presentation" for table in letter.css("table"))


def test_every_picture_has_alt_text_a_size_and_our_own_host(letter):
    for image in letter.css("img"):
        assert image.attributes["alt"]
        assert int(image.attributes["width"]) <= 600
        assert int(image.attributes["height"]) > 0
        assert image.attributes["src"].startswith("https://letters.example/")


def test_a_letter_loads_nothing_but_pictures(letter):
    assert not letter.css("script, link, iframe, form, svg, object, video")
    assert "url(" not in letter.html
    assert "@import" not in letter.html


def test_the_style_element_is_for_dark_mode_only(letter):
    style = letter.css_first("style").text()
    before_the_dark = style.partition("@media (prefers-color-scheme: dark)")[0]
    assert "color:" not in before_the_dark
    for node in letter.css("td.ink, td.soft, h1, h2 a"):
        assert "color:#" in node.attributes["style"] or node.css("img")


@pytest.mark.parametrize("case", LETTERS["digest"])
def test_text_from_a_feed_determines_its_own_direction(case):
    letter = body("digest", LETTERS["digest"][case])
    articles = LETTERS["digest"][case]["issue"]["articles"]
    own = letter.css("[dir=auto]")
    texts = [words for each in articles for words in (each["title"], each["excerpt"]) if words]
    assert [node.text() for node in own] == texts
    assert "text-align" not in letter.html


def test_the_preheader_is_hidden_and_padded(letter):
    preheader = letter.css_first("body > div > div")
    assert "display:none" in preheader.attributes["style"]
    assert preheader.text().count("\N{ZERO WIDTH NON-JOINER}") == 40


def test_the_text_part_has_the_readers_links_and_the_postal_address():
    for kind, case in CASES:
        context = LETTERS[kind][case]
        text = written(kind, "body.txt", context)
        assert all(f"\n{FIELD[name]}\n" in text for name in LINKS[kind])
        assert context["newsletter"]["postal_address"] in text
        assert "\n-- \n" in text


def test_the_longest_letter_is_smaller_than_mail_programs_clip():
    assert len(LONG_ISSUE["articles"]) == 24
    html = written("digest", "body.html", LETTERS["digest"]["long"]).encode()
    assert len(html) < 90_000
    assert len(quopri.encodestring(html)) < 90_000


def test_the_brand_is_legible_in_both_lights():
    html = written("digest", "body.html", LETTERS["digest"]["long"])
    accents = colors.accents("#ffd400")
    assert '<a class="call" href="https://courier.example/articles/1' in html
    assert f"color:{accents.light}" in html
    assert f".call {{ color: {accents.dark} !important; }}" in html


@pytest.mark.parametrize(("kind", "case"), FOR_OPERATORS, ids=lambda each: each.rpartition("/")[2])
def test_a_letter_to_an_operator_has_one_button_and_a_complete_text(kind, case):
    context = OPERATOR_LETTERS[kind][case]
    letter, text = body(kind, context), written(kind, "body.txt", context)
    (button,) = letter.css("a.press")
    target = context.get("url", FIELD["operator_link"])
    assert button.attributes["href"] == target
    assert f"\n{target}\n" in text
    assert "\n-- \n" in text
    assert not letter.css("img, script")
    facts = [each for part in ("issue", "feed") for each in context.get(part, {}).values() if isinstance(each, str)]
    for fact in facts:
        assert " ".join(fact.split()) in text
        assert fact.strip() in letter.css_first("body").text()
    assert not re.search(r"\bNone\b|Undefined|%\(", text + written(kind, "subject.txt", context))


def test_a_confirmation_has_one_button_one_way_out_and_no_picture():
    for context in LETTERS["confirmation"].values():
        letter = body("confirmation", context)
        assert not letter.css("img")
        assert len(letter.css("a.press")) == 1
        links = {link.attributes["href"] for link in letter.css("a")}
        assert links == {FIELD["confirm"], FIELD["never"], f"mailto:{context['newsletter']['reply_to']}"}
        assert len(letter.html.encode()) <= 20_000


@pytest.mark.parametrize("part", ["body.html", "body.txt"])
def test_a_confirmation_says_who_asks_what_for_when_until_when_and_in_which_words(part):
    text = written("confirmation", part, CONFIRMATION)
    wanted = (NEWSLETTER["publisher"], NEWSLETTER["postal_address"], "Morning Letter", "Every weekday at 07:00.")
    for fact in (
        *wanted,
        FIELD["requested_at"],
        FIELD["expires_at"],
        WORDING["text"],
        "You can unsubscribe at any time",
    ):
        assert fact in text


def test_a_confirmation_may_be_for_several_newsletters():
    assert written("confirmation", "subject.txt", CONFIRMATION).strip() == "Please confirm: Morning Letter"
    both = CONFIRMATION | {"newsletters": [{"name": name, "language": "en", "schedule": None} for name in "AB"]}
    assert written("confirmation", "subject.txt", both).strip() == "Please confirm: A and B"
    assert "\nA\nB\n" in written("confirmation", "body.txt", both)


@pytest.mark.parametrize("part", ["body.html", "body.txt"])
def test_the_letter_with_a_fresh_link_says_how_long_it_works_and_names_no_other_newsletter(part):
    text = written("preferences_link", part, PREFERENCES_LINK)
    for fact in (FIELD["fresh_preferences"], FIELD["fresh_until"], FIELD["unsubscribe"], "do not forward"):
        assert fact in text
    assert FIELD["preferences"] not in text


@pytest.mark.parametrize("part", ["body.html", "body.txt"])
def test_both_parts_of_a_digest_hold_every_headline_and_its_link(part):
    text = written("digest", part, DIGEST)
    for number, title in enumerate(TITLES, start=1):
        address = f"https://courier.example/articles/{number}?from=letter&part={number}"
        assert title in text
        assert (address.replace("&", "&amp;") if part == "body.html" else f"\n{address}\n") in text


def test_a_digest_has_an_unsubscribe_link_at_the_top_and_at_the_end():
    links = [link.attributes["href"] for link in body("digest", DIGEST).css("a")]
    assert FIELD["unsubscribe"] in links[:2]
    assert FIELD["unsubscribe"] in links[-4:]
    assert FIELD["preferences"] in links[-4:]
    text = written("digest", "body.txt", DIGEST)
    assert text.count(FIELD["unsubscribe"]) == 2
    assert text.index(FIELD["unsubscribe"]) < text.index(TITLES[0])


def test_the_first_picture_is_wide_and_the_others_are_beside_their_text():
    widths = [image.attributes["width"] for image in body("digest", DIGEST).css("img")]
    assert widths == ["552", "150", "150", "150"]
    heights = [image.attributes["height"] for image in body("digest", DIGEST).css("img")]
    assert heights[:2] == ["310", "84"]


def test_a_picture_is_shown_no_larger_than_it_is_and_not_very_tall():
    sizes = {"small": (240, 120), "tall": (500, 2000)}
    small, tall = (
        article(name, picture={"url": "https://letters.example/1.png", "width": width, "height": height, "alt": ""})
        for name, (width, height) in sizes.items()
    )
    for articles, widths, heights in (
        ((small, small), ["240", "150"], ["120", "75"]),
        ((tall, tall), ["207", "56"], ["828", "224"]),
    ):
        shown = body("digest", DIGEST | {"issue": opened(list(articles))}).css("img")
        assert [image.attributes["width"] for image in shown] == widths
        assert [image.attributes["height"] for image in shown] == heights


def test_an_article_without_details_leaves_no_gaps():
    text = written("digest", "body.txt", LETTERS["digest"]["bare"])
    assert "1. One line\nhttps://courier.example/articles/1?from=letter&part=1\n" in text
    assert "None" not in text
    assert "Issue 912: 1 article." in text


def test_the_title_of_an_article_without_a_page_is_no_link():
    context = DIGEST | {"issue": opened([article("A note", url=None, excerpt="")])}
    text, html = written("digest", "body.txt", context), body("digest", context)
    assert "1. A note\nTown · 4 min\n\n" in text
    assert "None" not in text
    assert html.css_first("h2").text() == "A note"
    assert not html.css("h2 a")


def test_a_link_in_another_script_is_written_as_a_uri():
    context = DIGEST | {"issue": opened([article("A bridge", url="https://пример.испытание/путь?q=あ&b=1")])}
    address = "https://xn--e1afmkfd.xn--80akhbyknj4f/%D0%BF%D1%83%D1%82%D1%8C?q=%E3%81%82&b=1"
    assert f"\n{address}\n" in written("digest", "body.txt", context)
    assert [link.attributes["href"] for link in body("digest", context).css("h2 a")] == [address]


def test_an_author_who_is_the_source_is_named_once():
    context = DIGEST | {"issue": opened([article("A note", source="Ann Writer", author="Ann writer")])}
    assert "\nAnn Writer · 4 min\n" in written("digest", "body.txt", context)
    assert "Ann writer" not in body("digest", context).text()


def test_the_publishers_text_has_its_own_language_in_an_english_letter():
    name = body("digest", LETTERS["digest"]["bare"]).css_first("h1 span")
    assert (name.attributes["lang"], name.attributes["dir"]) == ("he", "rtl")
    assert "lang" not in body("digest", DIGEST).css_first("h1").html


def test_a_title_from_a_feed_is_escaped():
    context = LETTERS["digest"]["hostile"]
    assert written("digest", "subject.txt", context).strip() == HOSTILE_TITLE
    assert f"1. {HOSTILE_TITLE}\n" in written("digest", "body.txt", context)
    html = body("digest", context)
    assert html.css_first("h2").text() == HOSTILE_TITLE
    assert html.css_first("title").text() == HOSTILE_TITLE
    assert not html.css("script")


def test_the_text_part_has_no_markup():
    for kind, case in CASES:
        if case != "hostile":
            assert not re.search(r"<[a-z/!]|&(?:amp|#\d+|[a-z]+);", written(kind, "body.txt", LETTERS[kind][case]))
