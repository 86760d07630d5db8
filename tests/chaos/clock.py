"""A wall clock that can be put forward and back while programs run by it; their monotonic clock stays true."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.servers.missing_servers import missing

PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
SLEEPING = Path(__file__).parent / "sleeping"
PICKED_UP = 1.0  # seconds until all programs have noticed: the file is read so often


class Clock:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.offset = 0.0
        self._write()

    def environment(self) -> dict[str, str]:
        """With this a program goes by it."""
        path = [str(SLEEPING), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # or threads wait long for each other: pthread_cond_timedwait
            "FAKETIME_CACHE_DURATION": str(int(PICKED_UP)),
            "PYTHONPATH": os.pathsep.join(path),
        }

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def jump(self, seconds: float) -> None:
        """Put it forward, or back."""
        self.offset += seconds
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.offset:+.0f}\n")
        new.replace(self._file)


def library() -> Path:
    found = [lib for place in PLACES for lib in Path("/").glob(f"{place.removeprefix('/')}/libfaketimeMT.so.1")]
    return found[0] if found else missing("faketime")
