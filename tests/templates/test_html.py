"""The pages as the Nu HTML checker reads them."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from newsletter import templating
from tests.servers.missing_servers import missing
from tests.servers.server import find_program
from tests.templates.contexts import PAGES

KNOWN = Path(__file__).parents[2] / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"


def checker() -> list[str]:
    """Return the checker's command; skip the test where Java or the checker is missing."""
    java, jar = find_program("java"), Path(os.environ.get("VNU_JAR") or KNOWN)
    if java is None:
        missing("Nu HTML checker", "Java not found")
    if not jar.is_file():
        missing("Nu HTML checker")
    return [str(java), "-jar", str(jar), "--errors-only", "--format", "json", "--exit-zero-always"]


@pytest.mark.slow
def test_the_checker_finds_no_error_on_any_page_in_any_direction(tmp_path):
    command = checker()
    for tag in ("en", "ar"):
        for name, cases in PAGES.items():
            for case, context in cases.items():
                page = templating.environment(tag).get_template(f"pages/{name}.html").render(context)
                (tmp_path / f"{name}-{case}-{tag}.html").write_text(page)
    checked = subprocess.run([*command, *tmp_path.iterdir()], capture_output=True, check=True, text=True)
    messages = json.loads(checked.stderr)["messages"]
    found = {f"{each['url'].rpartition('/')[2]}: {each['message']}" for each in messages}
    assert not found, "\n".join(sorted(found))
