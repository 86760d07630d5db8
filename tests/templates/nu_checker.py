"""The Nu HTML checker, a Java program."""

import json
import os
import subprocess
from pathlib import Path

from tests.servers.missing_servers import missing
from tests.servers.server import find_program

KNOWN = Path(__file__).parents[2] / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"


def command() -> list[str]:
    """Return the checker's command; skip the test where Java or the checker is missing."""
    java, jar = find_program("java"), Path(os.environ.get("VNU_JAR") or KNOWN)
    if java is None:
        missing("Nu HTML checker", "Java not found")
    if not jar.is_file():
        missing("Nu HTML checker")
    return [str(java), "-jar", str(jar), "--errors-only", "--format", "json", "--exit-zero-always"]


def errors(folder: Path) -> list[str]:
    """Return what the checker finds in the pages of a folder, with the name of each one's file."""
    checked = subprocess.run([*command(), *folder.iterdir()], capture_output=True, check=True, text=True)
    messages = json.loads(checked.stderr)["messages"]
    return sorted({f"{each['url'].rpartition('/')[2]}: {each['message']}" for each in messages})
