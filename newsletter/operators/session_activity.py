"""Record when sessions were last used, from a thread of its own: a page that somebody reads writes nothing itself."""

import logging
import threading
from datetime import datetime

from newsletter.operators import sessions
from newsletter.redaction import log_failure
from newsletter.store.database import Database

CLOSE_SECONDS = 5.0  # a database that hangs must not keep the process from ending

log = logging.getLogger(__name__)


class SessionActivity:
    """Writes the uses that are noted; those that come during a write share the next one.

    A use that cannot be written is dropped with a line in the log: the next request notes it again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._noted: dict[int, datetime] = {}
        self._thread: threading.Thread | None = None

    def note(self, session_id: int, *, now: datetime) -> None:
        """Have the use of a session recorded soon."""
        with self._lock:
            self._noted[session_id] = now
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="session activity", daemon=True)
                self._thread.start()

    def close(self, *, within: float = CLOSE_SECONDS) -> None:
        """Wait until all uses are written, at most `within` seconds."""
        thread = self._thread
        if thread:
            thread.join(within)

    def _run(self) -> None:
        while noted := self._take():
            try:
                with self._database.writing() as session:
                    sessions.mark_seen(session, noted.keys(), now=max(noted.values()))
            except Exception as error:  # noqa: BLE001 - an unwritten use harms nobody
                log_failure(log, "the last use of sessions was not recorded", error)

    def _take(self) -> dict[int, datetime]:
        """Return what was noted; with nothing left the thread ends, and the next note starts another."""
        with self._lock:
            noted, self._noted = self._noted, {}
            if not noted:
                self._thread = None
            return noted
