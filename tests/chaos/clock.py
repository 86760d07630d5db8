"""A wall clock that the tests can change while programs run with it; their monotonic clock stays correct."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.servers.missing_servers import missing

LIBRARY_PATTERNS = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
SLEEPING = Path(__file__).parent / "sleeping"
NOTICED_SECONDS = 1.0  # until all programs have noticed a change: they read the file once a second


class Clock:
    """The wall clock of processes that have its `environment`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.offset = 0.0
        self._write()

    def environment(self) -> dict[str, str]:
        """Return the variables that make a program use this clock."""
        path = [str(SLEEPING), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # 1 delays threads in pthread_cond_timedwait
            "FAKETIME_CACHE_DURATION": str(int(NOTICED_SECONDS)),
            "PYTHONPATH": os.pathsep.join(path),
        }

    def now(self) -> datetime:
        """Return the clock's time."""
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def jump(self, seconds: float) -> None:
        """Set the clock forward, or back if negative."""
        self.offset += seconds
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.offset:+.0f}\n")
        new.replace(self._file)


def library() -> Path:
    """Return the path of libfaketime, or skip the test."""
    patterns = (f"{pattern.removeprefix('/')}/libfaketimeMT.so.1" for pattern in LIBRARY_PATTERNS)
    return next((path for pattern in patterns for path in Path("/").glob(pattern)), None) or missing("faketime")
