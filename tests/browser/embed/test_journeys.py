"""The whole way of a reader from each kind of form, with the settings of visitors combined pairwise."""

import pytest

from tests.browser.embed.conftest import Publisher
from tests.browser.embed.host_pages import SETTINGS, visit
from tests.browser.embed.ways import go_the_whole_way
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
    go_the_whole_way(visit(publisher, settings), f"reader{ROWS.index(settings)}@example.org")
