"""The command imports only the subcommand that it runs, so that an operator does not wait for the others."""

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
    """Run the command in a process; return which of three slow modules it imported, and the tables it knows."""
    result = subprocess.run([sys.executable, "-c", LISTED, *words], capture_output=True, text=True, check=True)
    lines = [line.split() for line in result.stdout.splitlines()[-2:]]
    return {heading: names for heading, *names in lines}


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommands_help_matches_the_list(newsletter, name):
    result = newsletter(name, "--help")
    assert result.exit_code == 0
    assert " ".join(SUBCOMMANDS[name].help.split()) in " ".join(result.stdout.split())


def test_the_help_lists_every_subcommand_with_its_help(newsletter):
    output = " ".join(newsletter("--help").stdout.split())
    assert [name for name, command in SUBCOMMANDS.items() if f"{name} {command.help}" not in output] == []


def test_the_help_appears_quickly():
    """It takes at most two and a half times as long as importing the command-line libraries."""
    bare = min(processor_time("-c", "import typer, rich") for _ in range(3))
    assert min(processor_time("-m", "newsletter.cli", "--help") for _ in range(3)) <= 2.5 * bare


def processor_time(*words: str) -> float:
    """Return the processor seconds that Python takes with these arguments."""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_a_shell_completes_the_names_of_subcommands(monkeypatch, newsletter):
    monkeypatch.setenv("_NEWSLETTER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "newsletter d")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert set(newsletter().stdout.split()) == {"demo", "digests", "doctor"}


def test_the_version_is_that_of_the_installed_package(newsletter):
    result = newsletter("--version")
    assert (result.exit_code, result.stdout) == (0, f"newsletter {version('newsletter')}\n")


def test_the_version_needs_no_settings_and_no_subcommand():
    """It takes no longer than the help, and works before the service is set up."""
    run = "import sys; from newsletter.cli.app import main\ntry: main(['--version'])\nfinally: print(*sys.modules)"
    environment = {**os.environ, "NEWSLETTER_DATABASE_URL": "nonsense", "NEWSLETTER_NO_SUCH_SETTING": "1"}
    result = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True, env=environment)
    printed, modules = result.stdout.splitlines()
    assert printed == f"newsletter {version('newsletter')}"
    ours = {name for name in modules.split() if name.startswith(("newsletter.", "workers"))}
    known = {"cli", "cli.app", "errors", "languages", "languages.translatable"}
    assert ours == {f"newsletter.{name}" for name in known}
    assert not {"sqlalchemy", "fastapi", "celery", "redis"} & {name.partition(".")[0] for name in modules.split()}


@pytest.mark.parametrize(
    ("subcommand", "slow_modules"),
    [
        ("newsletters", []),
        ("issues", ["newsletter.cli.issues"]),
        *(pytest.param(name, [], marks=pytest.mark.slow) for name in ("pages", "operators", "doctor")),
    ],
)
def test_a_subcommand_imports_itself_and_every_table(subcommand, slow_modules):
    """A check that walks the tables would miss those that were not imported."""
    imported = listed(subcommand, "--help")
    assert imported["loaded:"] == slow_modules
    assert set(imported["tables:"]) == metadata.tables.keys()
