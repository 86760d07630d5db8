"""The command, as an operator of a service with one newsletter, `three`, types it."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from typer.testing import CliRunner

from newsletter.cli.app import app, main
from newsletter.store.database import Database
from tests.content.builders import a_feed, a_newsletter, publish
from tests.servers.databases import opened


@pytest.fixture
def database(sqlite_url, monkeypatch, tmp_path) -> Iterator[Database]:
    """The one that the command is set up with."""
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    with closing(opened(sqlite_url)) as database:
        with database.writing() as session:
            publish(session, a_feed(session, a_newsletter(session, "three")), *(f"news {n}" for n in range(30)))
        yield database


@pytest.fixture
def newsletter(database):
    """Run the command; its result."""
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture
def told(capfd):
    """Run the command whole; its exit code and what it says of what went wrong."""

    def call(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main(words)
        code = end.value.code
        assert isinstance(code, int)
        return code, capfd.readouterr().err

    return call
