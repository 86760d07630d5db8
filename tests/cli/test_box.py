"""`newsletter newsletters box` changes what the box says, and prints the lines for the publisher's page."""

import json

from sqlalchemy import select

from newsletter import newsletters
from newsletter.consent.wordings import box_texts
from newsletter.consent.wordings.box_texts import BoxText
from newsletter.embed.box_script import box_script
from tests.builders import a_bare_newsletter
from tests.content.builders import a_newsletter

BASE = "http://localhost:8000"


def test_the_lines_to_paste_are_printed_with_what_is_still_missing(newsletter, database):
    done = newsletter("newsletters", "box", "three")
    assert done.exit_code == 0
    assert f'<script src="{BASE}/embed.js" data-newsletter="three" async></script>' in done.stdout
    assert f'<noscript><a href="{BASE}/n/three"' in done.stdout
    assert "newsletter newsletters wording three --language en" in done.stdout
    assert "newsletter sites add three" in done.stdout


def test_a_title_is_stored_and_a_script_is_named_by_its_hash(newsletter, database):
    newsletter("sites", "add", "three", "https://www.example.org")
    told = json.loads(newsletter("newsletters", "box", "three", "--title", "At  three", "--integrity", "--json").stdout)
    script = box_script(BASE)
    assert (told["title"], told["sites"]) == ("At three", ["https://www.example.org"])
    assert f'src="{BASE}{script.path}" integrity="{script.integrity}" crossorigin="anonymous"' in told["snippet"]
    with database.reading() as session:
        assert box_texts.of(session, [newsletters.named(session, "three")], "en").title == "At three"


def test_a_box_of_several_newsletters_has_a_title_of_its_own_and_a_form_to_paste(newsletter, failed, database):
    with database.writing() as session:
        a_newsletter(session, "noon")
    both = ("three", "noon")
    told = newsletter("newsletters", "box", *both, "--title", "All our letters").stdout
    assert f'data-newsletter="three noon" async></script>\n<noscript><a href="{BASE}/">' in told
    assert "newsletter forms publish three noon --language en" in told
    assert "newsletter sites add three https://www.example.org; newsletter sites add noon https://" in told
    code, message = failed("forms", "paste", *both)
    assert (code, "newsletter forms publish three noon --language en" in message) == (1, True)
    assert newsletter("forms", "publish", *both).exit_code == 0
    newsletter("sites", "add", "three", "https://www.example.org")
    pasted = newsletter("forms", "paste", "noon", "three")
    assert [f'name="newsletters" value="{slug}"' in pasted.stdout for slug in both] == [True, True]
    assert "newsletter sites add noon ADDRESS" in pasted.stderr
    assert "newsletter sites add three" not in pasted.stderr
    boxes = [json.loads(newsletter("newsletters", "box", *slugs, "--json").stdout) for slugs in (both, both[::-1])]
    assert [box["title"] for box in boxes] == ["All our letters", "All our letters"]
    assert json.loads(newsletter("newsletters", "box", "three", "--json").stdout)["title"] != "All our letters"


def test_a_title_that_no_box_can_show_is_refused(failed, database):
    for title in ("", "a" * 121):
        code, message = failed("newsletters", "box", "three", "--title", title)
        assert code == 1
        assert message.startswith("--title: Enter ")


def test_a_box_of_two_publishers_is_refused_before_anything_is_stored_or_advised(failed, database):
    with database.writing() as session:
        a_bare_newsletter(session, "noon", publisher="Other Press")
    together = ("three", "noon")
    for command in (("newsletters", "box", *together, "--title", "All"), ("forms", "paste", *together)):
        code, message = failed(*command)
        assert (code, "one form names one" in message, "forms publish" in message) == (1, True, False)
    with database.reading() as session:
        assert not session.scalars(select(BoxText)).all()
