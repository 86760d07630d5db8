"""An SQLite file for each test: a copy of a template that is migrated once for the whole run."""

import shutil
from pathlib import Path

import pytest

from tests.servers.run import Run
from tests.servers.schema import migrate
from tests.servers.server import folder_for


@pytest.fixture(scope="session")
def sqlite_template(run: Run) -> Path:
    """The path of a migrated database file."""

    def create() -> str:
        folder = folder_for(None)
        run.serve(["sleep", "infinity"], folder, user=None)  # its end deletes the folder, also if the run is killed
        migrate(f"sqlite:///{folder}/template.sqlite")
        return str(folder / "template.sqlite")

    return Path(run.once("sqlite", create))


@pytest.fixture
def sqlite_url(sqlite_template: Path, run: Run) -> str:
    """The URL of an SQLite database of the test's own, empty and migrated.

    All tests of a process use the same path, so that one engine serves them all.
    """
    folder = sqlite_template.parent / str(run.number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(sqlite_template, folder / "newsletter.sqlite")
    return f"sqlite:///{folder}/newsletter.sqlite"
