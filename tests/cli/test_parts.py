"""What the command loads: the part that was asked for, so that an operator does not wait for the others."""

import subprocess
import sys

import pytest

from newsletter.cli.app import PARTS, Parts

LISTED = """
import sys
from newsletter.cli.app import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *({"fastapi", "celery", "newsletter.cli.issues"} & sys.modules.keys()))
"""


def loaded(*words: str) -> list[str]:
    """What of these a process loaded that ran the command."""
    done = subprocess.run([sys.executable, "-c", LISTED, *words], capture_output=True, text=True, check=True)
    return done.stdout.rpartition("loaded:")[2].split()


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_there(name):
    assert Parts()[name].name == name


def test_no_other_part_is_there():
    assert "nonsense" not in Parts()


def test_a_command_loads_its_own_part_only():
    assert loaded("migrate", "--help") == []
    assert loaded("issues", "--help") == ["newsletter.cli.issues"]
