"""The HTML of every kind of letter in a real browser, as webmail shows it."""

import pytest
from playwright.sync_api import Browser

from newsletter import templating
from newsletter.languages.languages import language
from tests.browser.chromium import PAGE_RULES, PHONE, Scheme, Tab
from tests.templates.letter_contexts import LETTERS

WIDTHS = (320, PHONE, 1280)


@pytest.mark.parametrize(("tag", "scheme"), [("en", "light"), pytest.param("ar", "dark", marks=pytest.mark.slow)])
def test_every_letter_is_accessible_and_fits(chromium: Browser, tag: str, scheme: Scheme):
    tab, found = Tab(chromium, "", tag), []
    tab.block_requests()
    for kind, cases in LETTERS.items():
        for case, context in cases.items():
            html = templating.environment(tag).get_template(f"letters/{kind}/body.html").render(context)
            tab.show(html)
            problems = tab.violations(scheme, without=PAGE_RULES)
            problems += [problem for width in WIDTHS for problem in tab.wider_than(width)]
            tab.enlarge_text()
            problems += [f"with large text: {problem}" for problem in tab.wider_than(PHONE)]
            found += [f"{kind}, {case}: {problem}" for problem in problems]
            assert tab.language() == (tag, language(tag).direction)
    assert not found, "\n".join(found)
