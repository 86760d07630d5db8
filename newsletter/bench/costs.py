"""Processor time and memory of each process, from /proc, and a description of the machine."""

import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, text

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
KB_PER_MB = 1024
BLOCK = b"\0" * 8192  # PostgreSQL's unit of writing
SYNCS = 100  # fdatasync() calls that are measured


@dataclass(frozen=True)
class Process:
    """One process at one moment."""

    pid: int
    parent: int
    seconds: float  # processor time of the process itself
    ended: float  # processor time of its children that have ended
    title: str

    @property
    def peak_mb(self) -> float:
        """Its peak memory in MB (VmHWM), including the shared memory that it has touched."""
        try:
            lines = (PROC / str(self.pid) / "status").read_text().splitlines()
        except OSError:
            return 0.0
        return next((int(line.split()[1]) / KB_PER_MB for line in lines if line.startswith("VmHWM")), 0.0)


def process(pid: int) -> Process | None:
    """Return a process by its ID; None if there is none."""
    return _read(PROC / str(pid))


def resident_mb(pid: int) -> float:
    """Return the memory of a process in MB, including what it shares; 0 if there is none."""
    return _rollup_mb(pid, "Rss")


def private_mb(pid: int) -> float:
    """Return the memory of a process in MB that no other process shares; 0 if there is none."""
    return _rollup_mb(pid, "Private_Clean", "Private_Dirty")


def _rollup_mb(pid: int, *names: str) -> float:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended, or belongs to another user
        return 0.0
    fields = (line.split() for line in lines)
    return round(sum(int(field[1]) for field in fields if field[0].rstrip(":") in names) / KB_PER_MB, 1)


def descendants(roots: Mapping[str, int]) -> dict[str, list[Process]]:
    """Return the descendants of each root process, by the root's name, without waiting shells."""
    every = [process for entry in PROC.iterdir() if entry.name.isdigit() and (process := _read(entry))]
    children: dict[int, list[Process]] = {}
    for process in every:
        children.setdefault(process.parent, []).append(process)
    return {name: [each for each in _below(pid, children) if each.title != "sh"] for name, pid in roots.items()}


def _below(pid: int, children: Mapping[int, list[Process]]) -> list[Process]:
    return [each for child in children.get(pid, []) for each in (child, *_below(child.pid, children))]


def _read(entry: Path) -> Process | None:
    try:
        stat = (entry / "stat").read_text()
        line = (entry / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended
        return None
    name, _, rest = stat.rpartition(")")
    fields = rest.split()
    times = [int(field) / TICKS_PER_SECOND for field in fields[11:15]]
    title = "sh" if name.endswith("(sh") else line
    return Process(int(entry.name), int(fields[1]), times[0] + times[1], times[2] + times[3], title)


class Meter:
    """Measures processor time from its creation to `read`, by process name; PostgreSQL's processes by role."""

    def __init__(self, roots: Mapping[str, int], roles: Callable[[], Mapping[int, str]]) -> None:
        self._roots = roots
        self._roles = roles
        self._before = descendants(roots)

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return processor seconds, and the peak memory of the largest process in MB, both by name."""
        roles, after = self._roles(), descendants(self._roots)
        seconds: dict[str, float] = {}
        peaks: dict[str, float] = {}
        for root, processes in after.items():
            before = {each.pid: each for each in self._before.get(root, [])}
            total = sum(each.seconds + each.ended for each in processes)
            total -= sum(each.seconds + each.ended for each in before.values())
            for each in processes:
                name = _name(root, each, roles)
                spent = each.seconds - (before[each.pid].seconds if each.pid in before else 0.0)
                seconds[name] = seconds.get(name, 0.0) + spent
                total -= spent
                peaks[name] = max(peaks.get(name, 0.0), each.peak_mb)
            if total > 0.005:  # processor time of children that ended during the measurement
                seconds[f"{root}: ended"] = total
        return ({name: round(s, 2) for name, s in seconds.items()}, {name: round(mb, 1) for name, mb in peaks.items()})


def _name(root: str, process: Process, roles: Mapping[int, str]) -> str:
    if not process.title.startswith("postgres: "):
        return root
    return f"{root}: {roles.get(process.pid) or ' '.join(process.title.split()[1:3])}"


def roles(connection: Connection) -> dict[int, str]:
    """Return the role of each PostgreSQL process by its ID, such as `newsletter celery` or `checkpointer`."""
    rows = connection.execute(
        text("SELECT pid, coalesce(nullif(application_name, ''), backend_type) AS name FROM pg_stat_activity")
    )
    return {row.pid: row.name for row in rows}


def sync_ms(folder: Path) -> float:
    """Return the milliseconds that the disk takes to store 8 kB durably: the median of a hundred fdatasync() calls."""
    file, seconds = folder / f"fsync-{os.getpid()}", []
    handle = os.open(file, os.O_CREAT | os.O_WRONLY)
    try:
        for number in range(SYNCS):
            os.pwrite(handle, BLOCK, number % 16 * len(BLOCK))
            started = time.perf_counter()
            os.fdatasync(handle)
            seconds.append(time.perf_counter() - started)
    finally:
        os.close(handle)
        file.unlink()
    return round(median(seconds) * 1000, 3)


def machine(folder: Path) -> dict[str, Any]:
    """Return a description of the machine and of the disk under `folder`."""
    cpus = (PROC / "cpuinfo").read_text().splitlines()
    memory = (PROC / "meminfo").read_text().splitlines()
    return {
        "cpus": os.cpu_count(),
        "processor": next(
            (each.partition(": ")[2] for each in cpus if each.startswith("model name")), platform.machine()
        ),
        "memory_gb": round(int(memory[0].split()[1]) / 1024**2, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "folder": str(folder),
        "filesystem": filesystem(folder),
        "free_gb": round(shutil.disk_usage(folder).free / 1024**3, 1),
        "load": round(os.getloadavg()[0], 2),
    }


def filesystem(folder: Path) -> str:
    """Return the type of a folder's file system, such as `ext4`, or `tmpfs`, which is memory."""
    mounts = [line.split()[1:3] for line in (PROC / "mounts").read_text().splitlines()]
    above = [(where, kind) for where, kind in mounts if folder.resolve().is_relative_to(where)]
    return max(above, key=lambda each: len(each[0]), default=("", "unknown"))[1]
