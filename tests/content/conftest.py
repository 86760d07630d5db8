"""Fixtures for tests about content."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from newsletter.cli.app import app
from newsletter.store.database import Begin, Database
from tests.content.builders import a_newsletter
from tests.local_http import LocalHttp, local_http


@pytest.fixture
def site() -> Iterator[LocalHttp]:
    """A real HTTP server on this machine."""
    with local_http() as site:
        yield site


@pytest.fixture
def newsletter(begin: Begin, database: Database, site: LocalHttp, monkeypatch, tmp_path):
    """Run the command on a database with one newsletter, `morning`."""
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", database.url)
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NEWSLETTER_FEED_ALLOW", f"127.0.0.1:{site.port}")
    with begin() as session:
        a_newsletter(session)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run
