"""The container image without an engine: its Dockerfile, and its wheel without a checkout."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

import pytest

from tests.servers.server import free_port

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
PREFIX = "/opt/newsletter"


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, with continued lines joined."""
    lines = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in joined if line.strip()]


def sources() -> list[str]:
    """Return the sources that are copied from the checkout, not from another stage."""
    copies = [shlex.split(rest) for word, rest in instructions() if word == "COPY"]
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def pip_calls() -> list[list[str]]:
    commands = [part for word, rest in instructions() if word == "RUN" for part in rest.split("&&")]
    return [shlex.split(command) for command in commands if shlex.split(command)[0] == "pip"]


def is_sent(path: str) -> bool:
    """Whether a file is in the build context, by the last line of .dockerignore that matches it or a parent folder."""
    sent = True
    for line in IGNORED:
        pattern = line.removeprefix("!")
        if any(fits(above, pattern) for above in (PurePath(path), *PurePath(path).parents)):
            sent = line.startswith("!")
    return sent


def fits(path: PurePath, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatchcase(path.name, pattern.removeprefix("**/"))
    return len(path.parts) == pattern.count("/") + 1 and fnmatchcase(str(path), pattern)


def files(folder: Path) -> set[str]:
    """Return the files of a folder that are in the build context."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in paths if is_sent(f"{folder.relative_to(ROOT)}/{path}")}


def test_every_copied_file_exists_and_is_in_the_build_context():
    assert {"newsletter", "templates", "workers", "requirements.lock"} <= set(sources())
    for source in sources():
        assert (ROOT / source).exists(), source
        assert is_sent(source), source


@pytest.mark.parametrize(
    "path",
    [".env", "secrets/database_url", "var/newsletter.db", "tests/whole_service.py", "docs/index.md", ".git/config"],
)
def test_secrets_tests_and_history_are_not_in_the_build_context(path):
    assert not is_sent(path)
    assert not is_sent(f"newsletter/__pycache__/{path}")


def test_packages_are_installed_by_hash_and_the_project_without_downloads():
    installs = [call for call in pip_calls() if {"install", "wheel"} & set(call)]
    assert len(installs) == 3
    for call in installs:
        fetches = "--requirement" in call
        assert ("--require-hashes" in call) == fetches
        assert ("--only-binary" in call) == fetches, "the image has no compiler"
        assert ({"--no-index", "--no-deps"} <= set(call)) != fetches
        assert not {"-e", "--editable"} & set(call)


def test_build_dependencies_are_not_in_the_image():
    (removed,) = [call for call in pip_calls() if "uninstall" in call]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert set(groups["build"]) <= set(removed)


def test_both_stages_use_the_same_exact_python_version():
    ((_, default),) = [line for line in instructions() if line[0] == "ARG"]
    assert re.fullmatch(r"PYTHON=python:\d+\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", default)
    assert {rest.split()[0] for word, rest in instructions() if word == "FROM"} == {"${PYTHON}"}


def test_the_image_does_not_run_as_root():
    words = [word for word, _ in instructions()]
    (user,) = [rest for word, rest in instructions() if word == "USER"]
    uid, _, gid = user.partition(":")
    assert int(uid) > 0, "a number: an orchestrator that refuses root cannot look a name up"
    assert int(gid) > 0
    assert f"--uid {uid} " in DOCKERFILE
    assert not {"RUN", "COPY", "ADD"} & set(words[words.index("USER") :])


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Return the output of a command; fail with its output if it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as in the image: its wheel, built from the files and with the command of the Dockerfile."""
    folder, target = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("installed")
    for source in sources():
        if (ROOT / source).is_dir():
            for file in files(ROOT / source):
                (folder / source / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source / file, folder / source / file)
        else:
            shutil.copy(ROOT / source, folder)
    (build,) = [call for call in pip_calls() if "wheel" in call]
    run([sys.executable, "-m", *(word.replace(PREFIX, sys.prefix) for word in build)], folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    words = ["install", "--no-index", "--no-deps", "--no-compile", "--target", str(target), str(wheel)]
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", *words], folder)
    return target


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages_and_the_templates(installed):
    wanted = {f"{folder}/{file}" for folder in ("newsletter", "workers") for file in files(ROOT / folder)}
    wanted |= {f"newsletter/templates/{file}" for file in files(ROOT / "templates")}
    assert {file for file in wanted if not (installed / file).is_file()} == set()
    assert not (installed / "docs").exists()


@pytest.mark.slow
def test_the_installed_command_runs_the_demo_without_a_checkout(installed, tmp_path):
    outside = {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    where = "import newsletter, workers.celery as w; print(newsletter.__file__, w.__file__)"
    translated = "from newsletter.languages import catalogues as c; print(*map(c.translations, c.LANGUAGES))"
    assert run([sys.executable, "-c", translated], tmp_path, **outside).count("GNUTranslations") > 1
    assert all(
        path.startswith(str(installed)) for path in run([sys.executable, "-c", where], tmp_path, **outside).split()
    )
    command = str(installed / "bin/newsletter")
    assert "migrate" in run([command, "--help"], tmp_path, **outside)
    words = [command, "demo", "--once", "--json", "--readers", "2", "--port", str(free_port())]
    summary = json.loads(run(words, tmp_path, **outside))
    assert summary["issue"]["sent"] == 2
    assert summary["doctor"] == "ok"
