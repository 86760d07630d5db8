"""Servers that end with the test run, however the run ends; their folders lie in memory where there is room."""

import os
import shutil
from pathlib import Path

from newsletter.bench.servers import server
from newsletter.bench.servers.server import Server, ServerError, environment, find_program, free_port, listens, run_as

__all__ = [
    "Server",
    "ServerError",
    "environment",
    "find_program",
    "folder_for",
    "free_port",
    "listens",
    "roomy_folder",
    "run_as",
]


def folder_for(user: str) -> Path:
    """A new folder for a server that runs as `user`, where that user can go."""
    return server.folder_for(user, where=roomy_folder())


def roomy_folder() -> Path | None:
    """Memory where there is room: a copy of a database takes 16 ms there, and 300 ms on a slow disk."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
        return memory
    return Path("/tmp") if os.geteuid() == 0 else None
