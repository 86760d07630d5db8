"""Every page of the site in a real browser: for people who see badly, on small screens, in both directions."""

import subprocess
from functools import cache

import pytest
from playwright.sync_api import Browser

from newsletter import newsletters, templating
from newsletter.languages.tags import direction
from tests.browser.chromium import PHONE, SCHEMES, Scheme, Tab
from tests.browser.contents import NEWSLETTERS
from tests.browser.walk import Walk, routes_of
from tests.servers.missing_servers import missing
from tests.templates.contexts import PAGES
from tests.whole_service import WholeService

LONG_CASES = ("long", "hebrew", "wrong")  # of the templates' examples
OPERATORS = "GET /outbox"  # pages for operators, which are English as the command line is
WIDTHS = (320, PHONE, 1280)
MAX_BYTES = 60_000  # of a page with its stylesheets and scripts, without pictures


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), pytest.param("ar", "dark", marks=pytest.mark.slow)])
def test_every_page_is_accessible_fits_and_asks_only_its_own_site(
    chromium: Browser, town: WholeService, language: str, scheme: Scheme
):
    seen, problems = walked(chromium, town, language, schemes=(scheme,), checked_at=(PHONE,))
    assert not problems, "\n".join(problems)
    assert routes_of(town.browser.app) - seen == set(), "each page has a stop on the walk"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ar", "ja"])
def test_every_page_is_accessible_at_every_width_in_both_lights(chromium: Browser, town: WholeService, language: str):
    if language == "ja" and not japanese_is_drawn():
        missing("Japanese font")
    _, problems = walked(chromium, town, language, schemes=SCHEMES, checked_at=WIDTHS)
    assert not problems, "\n".join(problems)


def test_far_too_long_contents_fit_also_with_text_of_twice_its_size(chromium: Browser, town: WholeService):
    tab, found = Tab(chromium, town.site.settings.base_url, "en"), []
    drawn = [(name, case) for name, cases in PAGES.items() for case in cases if case in LONG_CASES]
    for name, case in drawn:
        html = templating.environment().get_template(f"pages/{name}.html").render(PAGES[name][case])
        tab.show_as_page(html)
        problems = tab.wider_than(320)
        tab.enlarge_text()
        problems += [f"with large text: {problem}" for problem in tab.wider_than(PHONE)]
        found += [f"{name}, {case}: {problem}" for problem in problems]
    assert not found, "\n".join(found)


# Names of newsletters in a list whose words do not begin where the list does, on a page from right to left.
ASTRAY = """() => [...document.querySelectorAll(".items :is(h2, h3)")].filter(heading => {
    const words = document.createRange();
    words.selectNodeContents(heading);
    return Math.abs(words.getBoundingClientRect().right - heading.parentNode.getBoundingClientRect().right) > 1;
}).map(heading => heading.textContent)"""


@pytest.mark.parametrize("path", ["/", "/archive"])
def test_names_in_a_list_stand_where_it_begins_also_if_they_are_of_the_other_direction(
    chromium: Browser, town: WholeService, path: str
):
    tab = Tab(chromium, town.site.settings.base_url, "ar")
    tab.resize(1280)
    tab.open(f"{path}?language=ar")
    assert tab.page.locator(".items [lang=en]").count()
    assert tab.page.evaluate(ASTRAY) == []
    tab.close()


def walked(
    chromium: Browser, town: WholeService, language: str, *, schemes: tuple[Scheme, ...], checked_at: tuple[int, ...]
) -> tuple[set[str], list[str]]:
    """Walk through the newsletter in this language; return the routes seen, and every problem with its place."""
    with town.site.database.reading() as session:
        newsletter = newsletters.named(session, NEWSLETTERS[language]["slug"])
    tab = Tab(chromium, town.site.settings.base_url, language)
    seen, found = set(), []
    for route, shown in Walk(tab, town, newsletter).stops():
        seen.add(route)
        problems = [problem for width in WIDTHS for problem in tab.wider_than(width)]
        problems += tab.parted_addresses()
        if tab.language() != (language, direction(language)) and not route.startswith(OPERATORS):
            problems.append(f"the page is in {tab.language()}")
        if (weight := tab.weight()) >= MAX_BYTES:
            problems.append(f"the page has {weight:,} bytes")
        for width in checked_at:
            tab.resize(width)
            problems += [problem for scheme in schemes for problem in tab.violations(scheme)]
        found += [f"{route}, {shown}: {problem}" for problem in problems + tab.complaints]
        tab.complaints.clear()
    found += [f"something was requested from {host}" for host in tab.other_hosts]
    tab.close()
    return seen, found


@cache
def japanese_is_drawn() -> bool:
    """Whether a font with Japanese characters is installed; fontconfig comes with Chromium."""
    listed = subprocess.run(["fc-list", ":lang=ja", "family"], capture_output=True, check=True)
    return bool(listed.stdout.strip())
