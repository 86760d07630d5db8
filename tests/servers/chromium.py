"""The system's Chromium."""

from pathlib import Path

import pytest

from tests.servers.missing_servers import missing
from tests.servers.server import find


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program, for Playwright's `executable_path`."""
    return find("chromium") or find("chromium-browser") or find("google-chrome") or missing("Chromium")
