"""The limits of one download: processor time, memory and duration, enforced by the kernel and by the fork server."""

import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import process_time

NICENESS = 10  # letters come before feeds
MAX_FILES = 64  # open files and sockets
# Seconds by the clock on the wall, however long the child waited for a processor. Shorter than a feed's lease.
ABSOLUTE_SECONDS = 100
MAX_DOWNLOADS = 50  # of one child, one after the other
REUSED_MEMORY = 160 << 20  # octets at most that a child has used if it is to serve another download


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one download may use: a multiple of the 4.5 s and 270 MB that a sound feed of 5 MB needs here."""

    cpu_seconds: int = 10
    memory: int = 512 << 20  # octets of address space, which includes about 100 MB of code and libraries
    seconds: float = 30.0  # without the time that the child waits for a processor


def impose(limits: Limits) -> None:
    """Limit this process for its next download. The kernel ends it with SIGXCPU, or makes it raise MemoryError.

    It writes no files and no core dumps. The alarm ends it even if the fork server is gone.
    """
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(process_time()) + limits.cpu_seconds, hard))
    _limit(resource.RLIMIT_AS, limits.memory)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, MAX_FILES)
    signal.alarm(ABSOLUTE_SECONDS + 5)
    with suppress(OSError):  # where memory is short, the kernel ends this process rather than one that sends letters
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def is_used_up() -> bool:
    """Return whether this process needed so much memory that it should not serve another download."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > REUSED_MEMORY


def _limit(which: int, value: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    hard = resource.getrlimit(which)[1]
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (lowest, lowest))
