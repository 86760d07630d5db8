"""Fixtures for tests about content."""

from collections.abc import Iterator

import pytest

from tests.local_http import LocalHttp, local_http


@pytest.fixture
def site() -> Iterator[LocalHttp]:
    """A real HTTP server on this machine."""
    with local_http() as site:
        yield site
