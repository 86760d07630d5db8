"""An SQLite file for each test: a copy of one that was migrated once for the whole run."""

import shutil
from pathlib import Path

import pytest

from tests.servers.run import Run
from tests.servers.schema import migrate


@pytest.fixture(scope="session")
def sqlite_template(run: Run) -> Path:
    def lay() -> str:
        migrate(f"sqlite:///{run.folder}/template.sqlite")
        return str(run.folder / "template.sqlite")

    return Path(run.once("sqlite", lay))


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of an SQLite database of the test's own, empty and migrated."""
    shutil.copy(sqlite_template, tmp_path / "newsletter.sqlite")
    return f"sqlite:///{tmp_path}/newsletter.sqlite"
