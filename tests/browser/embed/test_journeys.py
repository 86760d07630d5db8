"""The whole way of a reader from each kind of form, with the settings of visitors combined pairwise."""

import pytest

from newsletter import newsletters
from tests.browser.embed.conftest import Publisher
from tests.browser.embed.host_pages import SETTINGS, visit
from tests.browser.embed.test_host_pages import problems_until_signed_up
from tests.browser.journey import Journey
from tests.browser.pairwise import pairwise

ROWS = pairwise({**SETTINGS, "page": ("news", "plain"), "look": ("inline",)})
IN_EVERY_CHECK = next(row for row in ROWS if row["script"] == "on" and row["page"] == "news")


def test_a_reader_goes_the_whole_way(publisher: Publisher):
    check(publisher, IN_EVERY_CHECK)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [row for row in ROWS if row != IN_EVERY_CHECK], ids=lambda row: " ".join(row.values())
)
def test_every_reader_goes_the_whole_way(publisher: Publisher, settings: dict[str, str]):
    check(publisher, settings)


def check(publisher: Publisher, settings: dict[str, str]) -> None:
    email = f"reader{ROWS.index(settings)}@example.org"
    opened = visit(publisher, settings)
    found = problems_until_signed_up(opened, email)
    with publisher.service.site.database.reading() as session:
        newsletter = newsletters.named(session, "morning")
    for stop in Journey(opened, newsletter, email).stops():
        found += opened.problems(stop)
        if opened.shown.page.locator("html").get_attribute("lang") != settings["language"]:
            found.append(f"{stop}: the page is not in {settings['language']}")
    assert not found, "\n".join(found)
    opened.only_expected_requests()
