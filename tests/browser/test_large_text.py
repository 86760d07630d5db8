"""Headlines in large text: a word that no line holds is parted with a hyphen, where the browser knows the language."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.reachable import reachable_service

LINES = """() => {
    const text = document.querySelector("h1").firstChild, range = document.createRange(), lines = [];
    for (let at = 0, last = null; at < text.length; at++) {
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        const top = Math.round(range.getBoundingClientRect().top);
        if (top !== last && text.data[at] !== " ") { lines.push(""); last = top; }
        lines[lines.length - 1] += text.data[at];
    }
    return lines.map(line => line.trim());
}"""


@pytest.mark.slow
@pytest.mark.parametrize("firefox", [{"font.size.variable.x-western": 32}], indirect=True, ids=["text at 200 %"])
def test_a_long_word_of_a_headline_ends_a_line_where_a_hyphen_may_stand(
    firefox: Browser, sqlite_template: Path, tmp_path: Path
):
    with reachable_service(sqlite_template, tmp_path) as service:
        service.newsletter(name="Datenschutz", language="de")
        service.publish_words("morning", "Bitte senden Sie mir diesen Newsletter.", "de")
        page: Page = firefox.new_page(
            base_url=service.site.settings.base_url, viewport={"width": 320, "height": 900}, locale="de"
        )
        page.goto("/n/morning")
        assert page.evaluate("matchMedia('(max-width: 18em)').matches")
        assert page.evaluate(LINES) == ["Daten", "schutz"]
        page.close()
