"""Page templates, each with usual, far too long and empty contexts."""

import re
from itertools import takewhile

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter import templating
from tests.templates.contexts import (
    HOSTILE_TITLE,
    ISSUE,
    LONG_WORDING,
    PAGES,
    SIGNUP,
    SITE,
    archived,
    article,
    issue,
)

ENVIRONMENT = templating.environment()
CASES = [(name, case) for name, cases in PAGES.items() for case in cases]


def page(name, context):
    return LexborHTMLParser(ENVIRONMENT.get_template(f"pages/{name}.html").render(context))


@pytest.fixture(params=CASES, ids="-".join)
def drawn(request):
    name, case = request.param
    return page(name, PAGES[name][case])


def test_every_page_template_has_a_case():
    files = {path.stem for path in (templating.templates_dir() / "pages").glob("[!_]*.html")}
    assert files == PAGES.keys()


def test_a_page_has_a_title_one_headline_and_a_language(drawn):
    title, dash, publisher = drawn.css_first("title").text().rpartition(" \N{EN DASH} ")
    assert title
    assert dash
    assert publisher
    assert len(drawn.css("h1")) == 1
    assert drawn.css_first("html").attributes["lang"] == "en"
    policy = drawn.css_first("meta[name=referrer]").attributes["content"]
    assert policy == "no-referrer" or (policy == "same-origin" and not drawn.css("form:not([action='/subscribe'])"))
    assert policy == "same-origin" or not drawn.css("form[action='/subscribe']")


def test_a_page_loads_nothing_from_other_hosts(drawn):
    for node in drawn.css("link:not([rel=canonical], [rel=alternate])[href], script[src], iframe[src]"):
        address = node.attributes.get("href") or node.attributes.get("src")
        assert not re.match(r"(?i)[a-z]+:|//", address)


def test_a_page_has_no_inline_style_and_no_inline_script(drawn):
    assert not drawn.css("[style], style, script:not([src])")
    assert not [node for node in drawn.css("script") if node.text()]
    assert not [name for node in drawn.css("*") for name in node.attributes if name.startswith("on")]


def test_every_control_has_a_label_and_every_picture_has_alt_text(drawn):
    controls = drawn.css("input:not([type=hidden]), select, textarea")
    inside = drawn.css("label input, label select, label textarea")
    named = [control for control in controls if drawn.css(f'label[for="{control.attributes.get("id")}"]')]
    assert len(controls) == len(inside) + len(named)
    assert all("alt" in image.attributes for image in drawn.css("img"))


def test_ids_are_unique_and_references_to_them_are_valid(drawn):
    ids = [node.attributes["id"] for node in drawn.css("[id]")]
    assert len(ids) == len(set(ids))
    pointed = [name for node in drawn.css("[aria-describedby]") for name in node.attributes["aria-describedby"].split()]
    pointed += [node.attributes["aria-labelledby"] for node in drawn.css("[aria-labelledby]")]
    pointed += [node.attributes["href"][1:] for node in drawn.css('a[href^="#"]')]
    assert set(pointed) <= set(ids)


def test_every_form_is_a_post_with_one_button(drawn):
    for form in drawn.css("form"):
        assert form.attributes["method"] == "post"
        assert len(form.css("button")) == 1


@pytest.mark.parametrize("case", [case for case, shown in PAGES["signup"].items() if shown["hosted_form"]])
def test_consent_is_never_ticked_in_advance(case):
    consent = page("signup", PAGES["signup"][case]).css_first("input[name=consent]")
    assert consent.attributes["value"] == "true"
    assert "checked" not in consent.attributes


def test_the_sign_up_form_posts_the_documented_fields():
    form = page("signup", SIGNUP).css_first("form")
    assert form.attributes["action"] == "/subscribe"
    names = {field.attributes["name"]: field.attributes.get("value") for field in form.css("input")}
    assert names == {
        "newsletters": "morning-letter",
        "wording": "4",
        "form": "17",
        "website": None,
        "email": "",
        "name": "",
        "consent": "true",
    }
    assert form.css_first("input[name=website]").parent.parent.attributes.keys() >= {"hidden", "lang", "dir"}


def test_a_wrong_field_is_named_at_the_top_and_beside_the_field():
    drawn = page("signup", PAGES["signup"]["wrong"])
    notice = drawn.css_first("[role=alert]")
    assert [link.attributes["href"] for link in notice.css("a")] == ["#email", "#consent"]
    email = drawn.css_first("#email")
    assert email.attributes["aria-invalid"] == "true"
    assert "email-error" in email.attributes["aria-describedby"]
    assert email.attributes["value"] == "garden.gate@post"


def test_what_has_just_happened_and_what_is_wrong_stand_on_top_of_the_page(drawn):
    """A notice with a form asks about what stands before it, and stays there."""
    parts = list(drawn.css_first("main").iter())
    on_top = list(takewhile(lambda each: "role" in each.attributes, parts))
    told = [each for each in drawn.css("main [role=status], main [role=alert]") if not each.css("form")]
    assert [each.html for each in told] == [each.html for each in on_top]


def test_the_information_of_article_13_is_before_the_button():
    form = str(SIGNUP["hosted_form"])
    before_button = form[: form.index("<button")]
    for fact in ("1 Paper Street", "answers@courier.example", "Art. 6(1)(a)"):
        assert fact in before_button


def test_no_newsletter_of_several_is_ticked_unless_the_visitor_ticked_it():
    boxes = page("newsletters", PAGES["newsletters"]["several"]).css("input[name=newsletters]")
    assert ["checked" in box.attributes for box in boxes] == [False, True, False]


def test_the_confirm_page_shows_the_whole_wording():
    drawn = page("confirm", PAGES["confirm"]["long"])
    assert LONG_WORDING["text"] in drawn.css_first(".read").text()


def test_the_unsubscribed_page_shows_no_address_so_it_is_the_same_after_erasure():
    for context in PAGES["unsubscribed"].values():
        html = ENVIRONMENT.get_template("pages/unsubscribed.html").render(context)
        page = LexborHTMLParser(html)
        for words in page.css("details"):
            words.decompose()  # of consent: they name the publisher's address
        assert "@" not in page.html
        assert "•" not in html


def test_a_title_from_a_feed_is_escaped():
    hostile = issue([article(HOSTILE_TITLE, excerpt=HOSTILE_TITLE)], title=HOSTILE_TITLE)
    drawn = page("archive_issue", SITE | archived(hostile, heading=HOSTILE_TITLE))
    assert drawn.css_first("h1").text() == HOSTILE_TITLE
    assert drawn.css_first("meta[property='og:title']").attributes["content"] == HOSTILE_TITLE
    assert drawn.css_first("h3").text() == HOSTILE_TITLE
    assert not drawn.css("body script")


def test_the_title_of_an_article_without_a_page_is_no_link():
    drawn = page("archive_issue", SITE | archived(issue([article("A note", url=None)])))
    assert drawn.css_first("h3").text() == "A note"
    assert not drawn.css("h3 a")


def test_a_link_in_another_script_is_the_one_of_the_letter():
    shown = issue([article("A bridge", url="https://bücher.example/ä")])
    drawn = page("archive_issue", SITE | archived(shown))
    assert drawn.css_first("h3 a").attributes["href"] == "https://xn--bcher-kva.example/%C3%A4"


def test_text_from_a_feed_determines_its_own_direction():
    drawn = page("archive_issue", SITE | archived(ISSUE, heading="Bridges and buses"))
    promised = page("signup", SIGNUP).css("aside li")
    assert promised
    for words in [*drawn.css("h1, h3, p.read"), *promised]:
        assert words.attributes["dir"] == "auto"
    stylesheet = (templating.templates_dir().parent / "newsletter/web/static/base.css").read_text()
    aligned = re.findall(r"(?m)^([^{\n]+)\{[^}]*text-align: left", stylesheet)
    assert [selector.strip() for selector in aligned if not re.search(r"\b(td|caption|tr)\b", selector)] == []


def test_the_page_of_an_expired_link_first_says_that_there_is_nothing_to_do():
    for case, way in {"usual": "Sign up again", "renewable": "Mail me a new link"}.items():
        text = page("link_expired", PAGES["link_expired"][case]).css_first("main").text()
        assert text.index("there is nothing to do") < text.index(way)


def test_outbox_letters_are_shown_in_sandboxed_frames():
    for frame in page("outbox_letter", PAGES["outbox_letter"]["usual"]).css("iframe"):
        assert set(frame.attributes["sandbox"].split()) == {"allow-popups", "allow-popups-to-escape-sandbox"}
