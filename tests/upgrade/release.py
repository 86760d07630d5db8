"""A release in a folder of its own: its tree, its environment, and its programs on given settings."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import BEAT, WEB, WORKER, Process
from tests.servers.server import free_port

ROOT = Path(__file__).parents[2]
SEED = Path(__file__).with_name("seed.py")


@dataclass(frozen=True)
class Release:
    """A tree with an environment that has its pinned packages."""

    name: str
    tree: Path
    programs: Path

    def process(self, name: str, program: str, *words: str, settings: Mapping[str, str], folder: Path) -> Process:
        """Return one of the release's programs, not yet started."""
        command = [str(self.programs / program), *words]
        return Process(f"{self.name}-{name}", command, {**settings, **self.environment()}, folder, fresh=True)

    def environment(self) -> dict[str, str]:
        """Return the variables that make programs and modules of this release found before any other's."""
        return {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(self.tree)}

    def seed(self, database_url: str, *, readers: int, seed: int, folder: Path) -> None:
        """Let the release's own code write a newsletter, its readers and their consent, and a feed with articles."""
        words = [str(self.programs / "python"), str(SEED), database_url, str(readers), str(seed)]
        subprocess.run(words, env=self.environment(), cwd=folder, check=True)


def current() -> Release:
    """Return the tree that this program is part of."""
    return Release("after", ROOT, Path(sys.executable).parent)


def ready(tree: Path) -> Release:
    """Return the release in a folder that has its `.venv`."""
    return Release("before", tree.resolve(), tree.resolve() / ".venv/bin")


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Release]:
    """Check the revision out into the folder and install the packages that it pins; both are removed afterwards."""
    tree = folder / "before"
    _run("git", "worktree", "add", "--quiet", "--detach", str(tree), revision, cwd=ROOT)
    try:
        _run(sys.executable, "-m", "venv", ".venv", cwd=tree)
        install = (".venv/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
        _run(*install, "--require-hashes", "-r", "requirements.lock", cwd=tree)
        _run(*install, "--no-deps", "--no-build-isolation", "-e", ".", cwd=tree)
        yield ready(tree)
    finally:
        _run("git", "worktree", "remove", "--force", str(tree), cwd=ROOT)


class ReleaseProcesses:
    """The web, worker and beat of a release, and its command."""

    def __init__(self, release: Release, settings: Mapping[str, str], folder: Path) -> None:
        self.release = release
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._settings, self._folder = settings, folder
        site = (*WEB[1:], "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning")
        self.web = self._process("web", WEB[0], *site)
        worker = (*WORKER[1:], "--hostname", f"{release.name}@upgrade", "-l", "INFO")
        self.worker = self._process("worker", WORKER[0], *worker)
        self.beat = self._process("beat", BEAT[0], *BEAT[1:], "-l", "WARNING")

    @property
    def processes(self) -> tuple[Process, ...]:
        """All three."""
        return self.web, self.worker, self.beat

    def command(self, *words: str) -> str:
        """Run the release's `newsletter` command and return what it wrote to standard output.

        Raises CommandFailed if it ends with another status than 0.
        """
        status, said = self._run_command(*words)
        if status != 0:
            raise CommandFailed(f"`newsletter {' '.join(words)}` of the release {self.release.name}: {said.strip()}")
        return said

    def findings(self) -> list[dict[str, Any]]:
        """Return what the release's `newsletter doctor` finds wrong. Its status says the same."""
        status, said = self._run_command("doctor", "--json")
        findings: list[dict[str, Any]] = json.loads(said)["findings"]
        assert bool(status) == bool(findings), f"status {status} with {len(findings)} findings"
        return findings

    def _run_command(self, *words: str) -> tuple[int, str]:
        process = self._process("-".join(words[:2]), "newsletter", *words)
        before = len(process.output())
        process.start()
        return process.wait(within=120), process.output()[before:]

    def _process(self, name: str, program: str, *words: str) -> Process:
        return self.release.process(name, program, *words, settings=self._settings, folder=self._folder)


class CommandFailed(Exception):
    """A command ended with another status than 0."""


def _run(*words: str, cwd: Path) -> None:
    subprocess.run(words, cwd=cwd, check=True, stdout=sys.stderr)
