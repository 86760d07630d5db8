"""Run the `newsletter` command on a database with one newsletter, `three`."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from typer.testing import CliRunner

from newsletter.cli.app import app, main
from newsletter.store.database import Database
from tests.content.builders import a_feed, a_newsletter, publish
from tests.local_http import LocalHttp, local_http
from tests.servers.databases import opened


@pytest.fixture
def database(sqlite_url, monkeypatch, tmp_path) -> Iterator[Database]:
    """The database that the command's settings name."""
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    with closing(opened(sqlite_url)) as database:
        with database.writing() as session:
            publish(session, a_feed(session, a_newsletter(session, "three")), *(f"news {n}" for n in range(30)))
        yield database


@pytest.fixture
def newsletter(database):
    """Run the command in this process and return its result."""
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture
def failed(capfd):
    """Run the command's `main`, which exits; return the exit code and its standard error."""

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as exit_:
            main(words)
        code = exit_.value.code
        assert isinstance(code, int)
        return code, capfd.readouterr().err

    return run


@pytest.fixture
def site() -> Iterator[LocalHttp]:
    """A real HTTP server on this machine, for feeds."""
    with local_http() as server:
        yield server
