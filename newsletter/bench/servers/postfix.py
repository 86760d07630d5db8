"""Postfix's test programs: smtp-sink, which accepts every letter, and smtp-source, which sends many."""

from pathlib import Path

from newsletter.bench.servers.server import MissingError, Server, find_program, folder_for, listens

USER = "nobody"
BACKLOG = "100"  # connections that wait to be accepted


def sink(port: int, *options: str | Path, folder: Path | None = None, stdout: int | None = None) -> Server:
    """Start smtp-sink on this port of 127.0.0.1; its output goes to the file descriptor `stdout`."""
    words = [program("smtp-sink"), *options, f"127.0.0.1:{port}", BACKLOG]
    server = Server(words, folder or folder_for(USER), user=USER, stdout=stdout)
    server.wait_until(lambda: listens(port))
    return server


def program(name: str) -> Path:
    """Return the path of one of Postfix's programs; raises MissingError if it is not installed."""
    if found := find_program(name):
        return found
    raise MissingError(f"{name} is not installed; on Debian: apt install postfix")
