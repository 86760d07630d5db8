"""Debian's Firefox, driven by Playwright over WebDriver BiDi."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from tests.servers.missing_servers import missing
from tests.servers.server import find_program

Preferences = dict[str, str | float | bool]
PROGRAMS = ("firefox-esr", "firefox")  # the first one that is installed is used

# Playwright cannot set these for one tab of Firefox, and says nothing if it is asked to.
DARK: Preferences = {"layout.css.prefers-color-scheme.content-override": 0}
REDUCED_MOTION: Preferences = {"ui.prefersReducedMotion": 1}
WITHOUT_SCRIPT: Preferences = {"javascript.enabled": False}


@contextmanager
def running_firefox(preferences: Preferences) -> Iterator[Browser]:
    """Run a headless Firefox with these preferences during the block; skip the test where none is installed."""
    program = next(filter(None, map(find_program, PROGRAMS)), None)
    if program is None:
        missing("Firefox")
    with sync_playwright() as playwright:
        browser = playwright.firefox.launch(
            channel="moz-firefox", executable_path=str(program), firefox_user_prefs=preferences
        )
        _open_a_tab(browser)
        yield browser
        browser.close()


def _open_a_tab(browser: Browser) -> None:
    """Fail if Playwright is too new for this Firefox: it opens no tab if the browser lacks one of its commands."""
    try:
        browser.new_page().close()
    except Error as error:
        pytest.fail(f"Playwright cannot drive Firefox {browser.version}: {error}", pytrace=False)
