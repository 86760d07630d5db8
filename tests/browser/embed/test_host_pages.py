"""The ways from a host page to a sign-up: six pages, with the settings of ten kinds of visitors combined pairwise."""

import pytest

from tests.browser.embed.conftest import Publisher
from tests.browser.embed.host_pages import NEXT_ADDRESS, SETTINGS, visit
from tests.browser.embed.ways import go_to_the_sign_up
from tests.browser.pairwise import pairwise, with_every_value

ROWS = pairwise(SETTINGS)
# Every value of every setting meets a script, and one visitor has none.
IN_EVERY_CHECK = [
    *with_every_value([row for row in ROWS if row["script"] == "on"]),
    next(row for row in ROWS if row["script"] == "off" and row["page"] != "plain"),
]


def rows(chosen: list[dict[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("settings", chosen, ids=[" ".join(row.values()) for row in chosen])


@rows(IN_EVERY_CHECK)
def test_visitors_sign_up_on_every_host_page(publisher: Publisher, settings: dict[str, str]):
    check(publisher, settings)


@pytest.mark.slow
@rows([row for row in ROWS if row not in IN_EVERY_CHECK])
def test_visitors_sign_up_whatever_two_settings_meet(publisher: Publisher, settings: dict[str, str]):
    check(publisher, settings)


def check(publisher: Publisher, settings: dict[str, str]) -> None:
    opened = visit(publisher, settings)
    signup = go_to_the_sign_up(opened, f"visitor{ROWS.index(settings)}@example.org")
    if opened.has_box:
        page = NEXT_ADDRESS if settings["page"] == "application" else "/2026/bridge"
        assert signup.evidence["page"] == publisher.web.url(page)
