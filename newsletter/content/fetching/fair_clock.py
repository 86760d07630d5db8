"""A clock that stands still while this machine, and not the other side, makes a thread wait."""

from pathlib import Path
from time import monotonic

THIS_THREAD = Path("/proc/thread-self/schedstat")
NANOSECONDS = 1e9


def fair_seconds() -> float:
    """Return the seconds of the monotonic clock without those that this thread has waited for a processor.

    On an overloaded machine most of the time passes in the scheduler's queue, and a server is not slow because we are.
    """
    return monotonic() - waited_for_processor(THIS_THREAD)


def waited_for_processor(schedstat: Path) -> float:
    """Return the seconds that a thread has spent runnable but not running; 0 where the kernel does not tell.

    Linux counts them in nanoseconds in the second field of a task's `schedstat` file (Documentation/scheduler/
    sched-stats.rst). A process's own file, `/proc/PID/schedstat`, is about its main thread.
    """
    try:
        return int(schedstat.read_bytes().split()[1]) / NANOSECONDS
    except (OSError, IndexError, ValueError):
        return 0.0
