"""A container engine's part in our tests: it runs our services of compose.yaml as processes of this machine.

Each by its own command, settings, health check and order of start; only addresses are others, as `places` says.
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

from tests.processes import END, START, Process, running

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
GRACE = "10s"  # that an engine waits after SIGTERM where the file says nothing


@dataclass(frozen=True)
class Engine:
    """Does with our services what a container engine does, with processes in place of containers."""

    folder: Path
    places: dict[str, str]  # what has another address on this machine
    shell: dict[str, str]  # what is set where Compose is called
    started: dict[str, Process] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def here(self, words: str) -> str:
        """Words of the file, with the addresses of this machine; names before the parts of names."""
        every = re.compile("|".join(re.escape(place) for place in sorted(self.places, key=len, reverse=True)))
        return every.sub(lambda place: self.places[place[0]], interpolated(words, self.shell))

    def environment(self, service: str) -> dict[str, str]:
        given = {name: self.here(str(value)) for name, value in SERVICES[service]["environment"].items()}
        return given | {"HOSTNAME": socket.gethostname()}  # an engine sets it, to the name that the container has

    def process(self, name: str, service: str, command: list[str], *, fresh: bool = False) -> Process:
        """A command in a service's place."""
        return Process(name, command, self.environment(service), self.folder, fresh=fresh)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Start the services, each when those it depends on are as far as it wants them."""
        depends = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
        conditions = {(other, how["condition"]) for others in depends.values() for other, how in others.items()}
        with ExitStack() as stack:
            for name in TopologicalSorter(depends).static_order():
                if name not in OURS:
                    continue  # such a server runs already
                words = shlex.split(self.here(SERVICES[name]["command"]))
                self.started[name] = self.process(name, name, words, fresh=True)
                stack.enter_context(running(self.started[name]))
                if (name, "service_completed_successfully") in conditions:
                    assert self.started[name].wait(START) == 0, self.started[name].output()
            yield

    def is_healthy(self, service: str) -> bool:
        """What a service's own health check says. Fails when the service has ended."""
        assert self.started[service].runs, self.started[service].output()
        how, *words = SERVICES[service]["healthcheck"]["test"]
        shell = {"CMD": [], "CMD-SHELL": ["sh", "-c"]}[how]
        check = self.process(f"health of {service}", service, [*shell, *map(self.here, words)])
        with running(check):
            return check.wait(seconds(SERVICES[service]["healthcheck"]["timeout"])) == 0

    def exec(self, service: str, *words: str) -> str:
        """What a command of the operator prints in that service: docker compose exec SERVICE WORDS."""
        name = f"{service} {next(self.numbers)}"  # what it prints goes into a file of that name
        command = self.process(name, service, list(words))
        with running(command):
            assert command.wait(END) == 0, command.output()
            return (self.folder / f"{name}.out").read_text()


def interpolated(words: str, shell: Mapping[str, str]) -> str:
    """Words as Compose reads them: ${NAME:-default} from the shell that it is started in, and $$ for a dollar."""
    found = re.compile(r"\$(?:\$|\{(?P<name>\w+):-(?P<default>[^}]*)\})")
    return found.sub(lambda it: "$" if it[0] == "$$" else shell.get(it["name"]) or it["default"], words)


def seconds(length: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", length).groups()
    return int(number) * {"s": 1, "m": 60}[unit]
