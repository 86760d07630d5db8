"""What Postfix brings for measuring: smtp-sink, which takes every letter, and smtp-source, which sends many."""

from pathlib import Path

from newsletter.bench.servers.server import MissingError, Server, find, folder_for, listens

USER = "nobody"
BACKLOG = "100"  # connections that wait to be taken


def sink(port: int, *options: str | Path, folder: Path | None = None, says: int | None = None) -> Server:
    """Start smtp-sink on that port of this machine; what it prints goes to the file `says`."""
    words = [program("smtp-sink"), *options, f"127.0.0.1:{port}", BACKLOG]
    server = Server(words, folder or folder_for(USER), user=USER, says=says)
    server.wait_until(lambda: listens(port))
    return server


def program(name: str) -> Path:
    """One of Postfix's programs."""
    if found := find(name):
        return found
    raise MissingError(f"{name} is not on this machine; on Debian: apt install postfix")
