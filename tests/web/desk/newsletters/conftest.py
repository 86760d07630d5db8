"""A service on SQLite, for tests of forms and pages that do not depend on the database."""

from collections.abc import Iterator

import pytest

from tests.whole_service import WholeService, whole_service


@pytest.fixture
def service(sqlite_url, tmp_path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as service:
        yield service
