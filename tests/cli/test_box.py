"""`newsletter newsletters box` changes what the box says, and prints the lines for the publisher's page."""

import json

from newsletter import newsletters
from newsletter.consent.wordings import box_texts
from newsletter.embed.box_script import box_script

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
        assert box_texts.of(session, newsletters.named(session, "three"), "en").title == "At three"


def test_a_title_that_no_box_can_show_is_refused(failed, database):
    for title in ("", "a" * 121):
        code, message = failed("newsletters", "box", "three", "--title", title)
        assert code == 1
        assert message.startswith("--title: Enter ")
