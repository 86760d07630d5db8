"""The documentation mentions only files, functions, settings, targets, stored names and metrics that exist."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from newsletter.content.downloading.limits import Limits
from newsletter.doctor.checks.findings import Check
from newsletter.migrations.schema import metadata
from newsletter.settings import PREFIX, Settings
from tests.docs.markdown import PAGES, ROOT, blocks, links, name, prose, spans

PATH = re.compile(r"(?:newsletter|workers|templates|tests|docs)/[\w/.*-]*|[\w.-]+\.(?:md|yaml|toml|lock)")
# A name or several, possibly a decorator with its arguments, before the file that they are in or of.
NAMED = re.compile(r"((?:`[^`]+`(?:,|,? and|,? or)\s+)*`[^`]+`)\s+(?:in|of)\s+`([\w/]+\.py)`")
NAME = re.compile(r"`@?(\w+)(?:\([^`]*\))?`")
SETTING = re.compile(rf"{PREFIX}[A-Z_]+\b")
TARGET = re.compile(r"\bmake ([a-z-]+)")
GENERATED = {"docs/_site"}
SOURCES = [file for folder in ("newsletter", "workers") for file in (ROOT / folder).rglob("*.py")]

documented = pytest.mark.parametrize("page", PAGES, ids=name)


def rows(page: Path) -> list[list[str]]:
    """Return the table rows of a page, each as a list of cells."""
    lines = [line for line in prose(page).splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def code(cell: str) -> list[str]:
    """Return the inline code of a table cell."""
    return re.findall(r"`([^`]+)`", cell)


def defined(path: str) -> set[str]:
    """Return the functions, classes and variables that a module defines; nothing if there is no such file."""
    file = ROOT / path
    names = set()
    for each in ast.parse(file.read_text()).body if file.is_file() else ():
        match each:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def undefined(text: str) -> list[tuple[str, str]]:
    """Return the names that a text places in a file that does not define them, each with that file."""
    placed = [(named, path) for names, path in NAMED.findall(text) for named in NAME.findall(names)]
    return [(named, path) for named, path in placed if named not in defined(path)]


@documented
def test_files_and_folders_exist(page):
    named = {span for span in spans(page) if PATH.fullmatch(span)} - GENERATED
    assert {path for path in named if not any(ROOT.glob(path.rstrip("/")))} == set()


@documented
def test_names_are_defined_in_the_file_that_is_named(page):
    assert [f"{missing} in {path}" for missing, path in undefined(prose(page))] == []


def test_a_name_that_a_file_does_not_define_is_found():
    guards = "`newsletter/web/guards.py`"
    assert undefined(f"`route_rules` in {guards}, `@route_rules(...)` of {guards}, `STRICTEST` of\n{guards}") == []
    for wrong in (
        "`allow` in",
        "`allow` of",
        "`@allow` of",
        "`@allow(body_limit=...)` of\n",
        "`allow` and `Guards` in",
    ):
        assert undefined(f"{wrong} {guards}") == [("allow", "newsletter/web/guards.py")], wrong


@documented
def test_links_to_files_lead_to_files(page):
    named = {link.partition("#")[0] for link in links(page) if "://" not in link and not link.startswith("#")}
    assert {path for path in named if not (page.parent / path).is_file()} == set()


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        scripts = [*spans(page), *(block.text for block in blocks("sh", "sh run", page=page))]
        assert {target for script in scripts for target in TARGET.findall(script)} <= targets, page


def test_every_setting_has_its_row_and_no_other_is_named():
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    described = {
        PREFIX + setting for row in rows(ROOT / "docs/settings.md") for setting in code(row[0]) if setting.isupper()
    }
    assert described == known
    for page in PAGES:
        named = {setting.removesuffix("_FILE") for setting in SETTING.findall(page.read_text())}
        assert named <= known, page


def test_the_glossary_gives_stored_names_as_they_are_stored():
    entries = [(row[0], named) for row in rows(ROOT / "docs/glossary.md") if len(row) == 3 for named in code(row[2])]
    text = "\n".join(file.read_text() for file in SOURCES)
    text += "\n".join(f"workers.{queue}" for queue in re.findall(r'^    [A-Z]+ = "(\w+)"', text, re.MULTILINE))
    for word, named in entries:
        for part in named.removeprefix("newsletter:").split(":")[: 1 if ":" in named else None]:
            assert re.search(rf"(?<![\w]){re.escape(part)}(?![\w])", text), (word, named)


def test_the_glossary_names_every_table():
    named = {stored for row in rows(ROOT / "docs/glossary.md") if len(row) == 3 for stored in code(row[2])}
    assert set(metadata.tables) - named == set()


def test_the_gdpr_page_names_every_table_with_personal_data():
    personal = {table.name for table in metadata.tables.values() if "personal" in table.info}
    assert personal <= set(spans(ROOT / "docs/gdpr.md"))


def test_the_glossary_names_every_metric(service):
    families = re.findall(r"^# TYPE newsletter_(\w+)", service.browser.get("/metrics").text, re.MULTILINE)
    section = prose(ROOT / "docs/glossary.md").partition("## Metrics")[2]
    named = {metric for line in section.splitlines() if line.startswith("| `") for metric in code(line)}
    assert named == {family.removesuffix("_total") for family in families}


def test_every_finding_of_doctor_is_explained():
    explained = [code(row[0])[0] for row in rows(ROOT / "docs/operating.md") if len(row) == 2 and code(row[0])]
    assert set(Check) <= set(explained)


def test_the_limits_of_a_download_are_those_of_the_code():
    limits = Limits()
    memory, seconds = f"{limits.memory >> 20} MB of memory", f"{limits.seconds:g} seconds in all"
    said = f"{limits.cpu_seconds} seconds of processor time, {memory}, {seconds}"
    assert said in (ROOT / "docs/operating.md").read_text()


def test_compose_secrets_are_made_as_the_compose_file_says():
    (block, *_) = blocks("sh", page=ROOT / "docs/deploy-compose.md")
    shown = [line.partition("  ")[0] for line in block.text.splitlines() if "secrets" in line]
    comment = [line.removeprefix("#").strip() for line in (ROOT / "compose.yaml").read_text().splitlines()]
    assert shown == [line for line in comment if line in shown]
    assert len(shown) == 5


def test_pictures_are_small_and_shown_in_the_readme():
    pictures = list((ROOT / "docs/pictures").iterdir())
    assert {f"docs/pictures/{picture.name}" for picture in pictures} == {
        link for link in links(ROOT / "README.md") if link.startswith("docs/pictures/")
    }
    assert all(picture.stat().st_size < 100_000 for picture in pictures)


@documented
def test_no_table_tells_about_the_same_thing_twice(page):
    for table in re.split(r"\n(?!\|)", prose(page)):
        named = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
        assert [name for name, number in Counter(named).items() if number > 1 and name.strip("| ")] == []
