"""Rules for the source code that no other tool enforces."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.waiting import TIMEOUT

ROOT = Path(__file__).parents[1]
INNER_FOLDERS = tuple(f"newsletter/{folder}/" for folder in ("consent", "content", "mail", "privacy", "doctor"))


@cache
def sources() -> dict[str, ast.Module]:
    """Return the parsed source files by path."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for folder in ("newsletter", "workers")
        for path in (ROOT / folder).rglob("*.py")
    }


@cache
def _called() -> list[tuple[str, str]]:
    """Return what is called, as it is written, with the places."""
    return [
        (ast.unparse(node.func), f"{path}:{node.lineno}")
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def calls(*names: str) -> list[str]:
    """Return the places that call functions or methods with these names."""
    return [place for called, place in _called() if called.endswith(names)]


def imports(path: str) -> set[str]:
    names = {f"{node.module}.{name.name}" for node in _nodes(path, ast.ImportFrom) for name in node.names}
    return names | {name.name for node in _nodes(path, ast.Import) for name in node.names}


def _nodes(path: str, kind: type) -> list:
    return [node for node in ast.walk(sources()[path]) if isinstance(node, kind)]


def test_all_source_files_are_read():
    assert len(sources()) > 80
    assert calls("session.execute")


def test_no_code_calls_commit():
    assert calls(".commit") == []


def test_no_code_reads_the_wall_clock_directly():
    assert calls("time.time", ".utcnow", "date.today") == []


def test_inner_folders_do_not_import_settings():
    assert not {
        path for path in sources() if path.startswith(INNER_FOLDERS) and "newsletter.setting" in str(imports(path))
    }


def test_no_two_classes_have_the_same_name():
    """An alias of a type counts as a class, because readers search for both by name."""
    places = sorted((name, path) for path, tree in sources().items() for name in _class_names(tree))
    names = [name for name, _ in places]

    assert len(names) > 200
    assert [place for place in places if names.count(place[0]) > 1] == []


def _class_names(tree: ast.Module) -> list[str]:
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assigned = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    return classes + [name for name in assigned if name[0].isupper() and not name.isupper()]


def test_each_test_that_the_code_names_exists_once():
    """A comment names a test by its whole name, or a module of tests by its path."""
    texts = [(ROOT / path).read_text() for path in sources()]
    paths = {path for text in texts for path in re.findall(r"\btests/[\w/]+\.py\b", text)}
    named = {name for text in texts for name in re.findall(r"(?<![\w/])test_\w+", text)}
    tests = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    defined = [name for text in tests for name in re.findall(r"^ *def (test_\w+)\(", text, re.MULTILINE)]

    assert len(paths) > 0
    assert len(named) > 2
    assert {path for path in paths if not (ROOT / path).is_file()} == set()
    assert {name: defined.count(name) for name in named if defined.count(name) != 1} == {}


def test_deliveries_are_created_in_one_module():
    modules = {place.partition(":")[0] for place in calls("Delivery")}
    assert modules == {"newsletter/mail/delivery/deliveries.py"}


def test_translatable_texts_are_literals():
    """Extraction reads them from the source, so a computed text would never reach a catalogue."""
    counts = {"translatable": 1, "translatable_plural": 2}
    made = [
        (f"{path}:{node.lineno}", node.args[: counts[ast.unparse(node.func)]])
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in counts
    ]
    assert len(made) > 20
    assert [place for place, texts in made for text in texts if not isinstance(text, ast.Constant)] == []


def test_no_test_waits_with_a_deadline_that_a_busy_machine_may_miss():
    """`eventually` has a deadline that only a hang reaches; in a browser's tests, the browser has its own."""
    waits = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", deadline.value)
        for path in (ROOT / "tests").rglob("test_*.py")
        if "browser" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "eventually"
        for deadline in [*(word.value for word in node.keywords if word.arg == "within"), ast.Constant(TIMEOUT)]
        if isinstance(deadline, ast.Constant)
    ]
    assert len(waits) > 50
    assert [place for place, seconds in waits if seconds < TIMEOUT] == []
