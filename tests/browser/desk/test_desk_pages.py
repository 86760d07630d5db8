"""Every page of the desk in a real browser: usual, empty and far too long, on small screens, in both lights."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter.bench.desk import routes
from tests.browser.chromium import PHONE, Scheme, Tab
from tests.browser.desk.contents import DeskState
from tests.browser.desk.walk import DeskWalk, is_page, walking

DESK = 1280
WIDTHS = (320, PHONE, DESK)

# Each two of state, light and width come together once.
PAIRS: list[tuple[DeskState, Scheme, int]] = [
    (DeskState.USUAL, "light", DESK),
    (DeskState.USUAL, "dark", PHONE),
    (DeskState.LONG, "light", PHONE),
    (DeskState.LONG, "dark", DESK),
    (DeskState.EMPTY, "light", DESK),
    (DeskState.EMPTY, "dark", PHONE),
]


@pytest.mark.slow
@pytest.mark.parametrize("state", DeskState)
def test_every_page_is_accessible_fits_and_asks_only_its_own_site_in_every_state(
    chromium: Browser, sqlite_template: Path, tmp_path: Path, state: DeskState
):
    with walking(chromium, sqlite_template, tmp_path, state) as walk:
        seen, found = looked_at(walk, looks_at(state))
    assert not found, "\n".join(found)
    if state is not DeskState.EMPTY:
        assert seen == set(filter(is_page, routes.routes()))


@pytest.mark.slow
def test_a_script_in_every_field_is_answered_in_words_and_never_run(
    chromium: Browser, sqlite_template: Path, tmp_path: Path
):
    with walking(chromium, sqlite_template, tmp_path, DeskState.USUAL) as walk:
        found = []
        for tab, _, shown in walk.refusals():
            found += [f"{shown}: {problem}" for problem in problems(tab, [("light", DESK)])]
    assert not found, "\n".join(found)


def looks_at(state: DeskState) -> list[tuple[Scheme, int]]:
    """Return the lights and widths in which a state is looked at."""
    return [(scheme, width) for shown, scheme, width in PAIRS if shown is state]


def looked_at(walk: DeskWalk, looks: list[tuple[Scheme, int]]) -> tuple[set[str], list[str]]:
    """Walk through the desk, and look at each page in these ways.

    Return the routes seen, and every problem with its page.
    """
    seen, found = set(), []
    for tab, route, path in walk.stops():
        seen.add(route)
        found += [f"{path}: {problem}" for problem in problems(tab, looks)]
    hosts = walk.operator.other_hosts | walk.visitor.other_hosts
    found += [f"something was requested from {host}" for host in hosts]
    return seen, found


def problems(tab: Tab, looks: list[tuple[Scheme, int]]) -> list[str]:
    """Return what is wrong: axe's violations, what scrolls sideways, addresses with hyphens, what the console says."""
    found = [problem for width in WIDTHS for problem in tab.wider_than(width)] + tab.parted_addresses()
    for scheme, width in looks:
        tab.resize(width)
        found += tab.violations(scheme)
    tab.enlarge_text()
    found += [f"with large text: {problem}" for problem in tab.wider_than(PHONE)]
    found += tab.complaints
    tab.complaints.clear()
    return found
