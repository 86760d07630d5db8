"""What the command loads: the part that was asked for, so that an operator does not wait for the others."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from newsletter.cli.app import SUBCOMMANDS
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


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_part_can_be_loaded_and_says_of_itself_what_the_list_says_of_it(newsletter, name):
    said = newsletter(name, "--help")
    assert said.exit_code == 0
    assert " ".join(SUBCOMMANDS[name].help.split()) in " ".join(said.stdout.split())


def test_the_help_names_every_part_with_what_it_is(newsletter):
    said = " ".join(newsletter("--help").stdout.split())
    assert [name for name, part in SUBCOMMANDS.items() if f"{name} {part.help}" not in said] == []


def test_the_help_is_there_before_anybody_wonders():
    """It costs at most two and a half times what the libraries of every command line cost to import."""
    bare = min(processor_time("-c", "import typer, rich") for _ in range(3))
    assert min(processor_time("-m", "newsletter.cli", "--help") for _ in range(3)) <= 2.5 * bare


def processor_time(*words: str) -> float:
    """The seconds of a processor that a Python with these arguments takes."""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


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
