from collections.abc import Iterator

import pytest

from tests.local_http import LocalHttp, serving


@pytest.fixture
def site() -> Iterator[LocalHttp]:
    """A real HTTP server on this machine."""
    with serving() as site:
        yield site
