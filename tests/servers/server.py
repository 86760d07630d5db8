"""Server processes that end with the test run, even if it is killed; their folders lie in memory if there is room."""

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


def folder_for(user: str | None) -> Path:
    """Create a folder that `user` may enter; if that is None, the user of this process."""
    return server.folder_for(user, where=roomy_folder())


def roomy_folder() -> Path | None:
    """Return a folder in memory if there is room: a database copy takes 16 ms there, and 300 ms on a slow disk."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
        return memory
    return Path("/tmp") if os.geteuid() == 0 else None
