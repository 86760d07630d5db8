"""The service of tests that do not depend on the database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole_service import WholeService, whole_service


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[WholeService]:
    """A service on SQLite with a newsletter."""
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        yield service
