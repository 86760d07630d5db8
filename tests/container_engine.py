"""A stand-in for a container engine: runs our services of compose.yaml as processes of this machine.

Commands, settings, health checks and start order come from the file; only addresses are replaced, by `addresses`.
"""

import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import count
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.processes import Process, running

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
GRACE = "10s"  # an engine's default wait after SIGTERM


@dataclass(frozen=True)
class Engine:
    """Runs the services of compose.yaml as processes instead of containers."""

    folder: Path
    addresses: dict[str, str]  # an address in the file: its replacement on this machine
    shell: dict[str, str]  # variables of the shell that calls Compose
    started: dict[str, Process] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def local(self, text: str) -> str:
        """Return text of the file with variables and addresses replaced; longer addresses first."""
        pattern = re.compile("|".join(re.escape(each) for each in sorted(self.addresses, key=len, reverse=True)))
        return pattern.sub(lambda match: self.addresses[match[0]], interpolated(text, self.shell))

    def environment(self, service: str) -> dict[str, str]:
        """Return a service's environment."""
        values = {name: self.local(str(value)) for name, value in SERVICES[service]["environment"].items()}
        return values | {"HOSTNAME": socket.gethostname()}  # an engine sets it to the container's name

    def process(self, name: str, service: str, command: list[str], *, fresh: bool = False) -> Process:
        """Return a process that runs a command with a service's environment."""
        return Process(name, command, self.environment(service), self.folder, fresh=fresh)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Start the services during the block, each after those that it depends on."""
        depends = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
        conditions = {(other, how["condition"]) for others in depends.values() for other, how in others.items()}
        with ExitStack() as stack:
            for name in TopologicalSorter(depends).static_order():
                if name not in OURS:
                    continue  # the test runs such a server already
                words = shlex.split(self.local(SERVICES[name]["command"]))
                self.started[name] = self.process(name, name, words, fresh=True)
                stack.enter_context(running(self.started[name]))
                if (name, "service_completed_successfully") in conditions:
                    assert self.started[name].wait() == 0, self.started[name].output()
            yield

    def is_healthy(self, service: str) -> bool:
        """Run a service's health check and return its result; fail if the service has ended."""
        assert self.started[service].runs, self.started[service].output()
        how, *words = SERVICES[service]["healthcheck"]["test"]
        shell = {"CMD": [], "CMD-SHELL": ["sh", "-c"]}[how]
        check = self.process(f"health of {service}", service, [*shell, *map(self.local, words)])
        with running(check):
            return check.wait(seconds(SERVICES[service]["healthcheck"]["timeout"])) == 0

    def exec(self, service: str, *words: str) -> str:
        """Return the output of `docker compose exec SERVICE WORDS`."""
        name = f"{service} {next(self.numbers)}"  # the output file's name
        command = self.process(name, service, list(words))
        with running(command):
            assert command.wait() == 0, command.output()
            return (self.folder / f"{name}.out").read_text()


def interpolated(text: str, shell: Mapping[str, str]) -> str:
    """Replace variables as Compose does: ${NAME:-default} from its shell, and $$ by a dollar."""
    pattern = re.compile(r"\$(?:\$|\{(?P<name>\w+):-(?P<default>[^}]*)\})")
    return pattern.sub(lambda it: "$" if it[0] == "$$" else shell.get(it["name"]) or it["default"], text)


def seconds(length: str) -> float:
    """Return the seconds of a duration such as 10s or 1m."""
    number, unit = re.fullmatch(r"(\d+)(s|m)", length).groups()
    return int(number) * {"s": 1, "m": 60}[unit]
