"""The system's Chromium."""

from pathlib import Path

import pytest

from tests.servers.missing_servers import missing
from tests.servers.server import find_program


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The path of the browser, for Playwright's `executable_path`."""
    return (
        find_program("chromium")
        or find_program("chromium-browser")
        or find_program("google-chrome")
        or missing("Chromium")
    )
