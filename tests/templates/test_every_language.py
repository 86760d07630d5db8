"""Every page and letter in every language, as far as no browser is needed to judge them."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter import templating
from newsletter.languages import catalogues
from newsletter.languages.languages import language
from tests.templates.contexts import PAGES
from tests.templates.letter_contexts import LETTERS

TEMPLATES = {
    **{(f"pages/{name}.html", case): context for name, cases in PAGES.items() for case, context in cases.items()},
    **{
        (f"letters/{kind}/{part}", case): context
        for kind, cases in LETTERS.items()
        for case, context in cases.items()
        for part in ("subject.txt", "body.txt", "body.html")
    },
}
UNFILLED = re.compile(r"%\(\w+\)|%[sd]\b|\bNone\b|Undefined")
ENGLISH_ONLY = ("pages/outbox.html", "pages/outbox_letter.html")  # for operators, as the command line is


@pytest.mark.parametrize("tag", catalogues.LANGUAGES)
def test_every_page_and_letter_names_its_language_and_leaves_no_gap(tag):
    environment, direction = templating.environment(tag), language(tag).direction
    for (template, case), context in TEMPLATES.items():
        if template in ENGLISH_ONLY:
            continue
        written = environment.get_template(template).render(context)
        assert not UNFILLED.findall(written), (template, case)
        if template.endswith(".html"):
            root = LexborHTMLParser(written).css_first("html").attributes
            assert (root["lang"], root["dir"]) == (tag, direction), (template, case)
