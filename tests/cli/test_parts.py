"""What the command loads: the part that was asked for, so that an operator does not wait for the others."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from newsletter.cli.app import PARTS
from newsletter.migrations.schema import metadata

LISTED = """
import sys
from newsletter.cli.app import main
from newsletter.store.database import Base
try:
    main(sys.argv[1:])
finally:
    loaded = {"fastapi", "celery", "newsletter.cli.issues"} & sys.modules.keys()
    print("loaded:", *loaded)
    print("tables:", *Base.metadata.tables)
"""


def listed(*words: str) -> dict[str, list[str]]:
    """What a process that ran the command has loaded of three things that are slow, and which tables it knows."""
    done = subprocess.run([sys.executable, "-c", LISTED, *words], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()[-2:]]
    return {name: things for name, *things in lines}


@pytest.mark.parametrize("name", PARTS)
def test_every_part_can_be_loaded(newsletter, name):
    assert newsletter(name, "--help").exit_code == 0


def test_the_help_names_every_part(newsletter):
    said = newsletter("--help").stdout
    assert [name for name in PARTS if name not in said] == []


def test_a_word_begun_is_completed_to_the_parts_it_may_become(monkeypatch, newsletter):
    monkeypatch.setenv("_NEWSLETTER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "newsletter d")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert set(newsletter().stdout.split()) == {"demo", "digests", "doctor"}


def test_the_version_is_that_of_the_installed_package(newsletter):
    said = newsletter("--version")
    assert (said.exit_code, said.stdout) == (0, f"newsletter {version('newsletter')}\n")


def test_the_version_needs_no_settings_and_no_part_of_the_command():
    """So it takes no longer than the help, and can be asked where nothing is set up yet."""
    run = "import sys; from newsletter.cli.app import main\ntry: main(['--version'])\nfinally: print(*sys.modules)"
    environment = {**os.environ, "NEWSLETTER_DATABASE_URL": "nonsense", "NEWSLETTER_NO_SUCH_SETTING": "1"}
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True, env=environment)
    said, modules = done.stdout.splitlines()
    assert said == f"newsletter {version('newsletter')}"
    ours = {name for name in modules.split() if name.startswith(("newsletter.", "workers"))}
    assert ours == {"newsletter.cli", "newsletter.cli.app", "newsletter.errors"}
    assert not {"sqlalchemy", "fastapi", "celery", "redis"} & {name.partition(".")[0] for name in modules.split()}


@pytest.mark.parametrize(
    ("part", "loaded"), [("migrate", []), ("operators", []), ("doctor", []), ("issues", ["newsletter.cli.issues"])]
)
def test_a_command_loads_its_own_part_and_every_table(part, loaded):
    """A check that walks the tables would pass over those that nobody loaded."""
    found = listed(part, "--help")
    assert found["loaded:"] == loaded
    assert set(found["tables:"]) == metadata.tables.keys()
