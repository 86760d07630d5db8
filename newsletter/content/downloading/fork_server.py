"""The fork server: a small program that forks a child for each download.

It has imported all that a download needs, so a child costs milliseconds. It holds no secrets, no connections and no
documents, and has one thread. A child lives for one download: nothing passes from one document to the next.

Its parent hands over two sockets for each download: one that the child answers, and one on which this program then
says how the child ended. The server ends when its parent's socket closes, and takes its children along.
"""

import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from newsletter.content.downloading import child
from newsletter.content.downloading.limits import ABSOLUTE_SECONDS
from newsletter.content.downloading.messages import Ending, Overdue
from newsletter.content.downloading.warming import load_languages, warm_up
from newsletter.content.fetching.fair_clock import waited_for_processor

FAILED = 1  # the exit status of a child that could not answer
# After so many downloads the names of all languages are loaded. Before, a child that meets a date in one does itself.
# A command that looks at one feed does not wait for them.
DOWNLOADS_BEFORE_LANGUAGES = 20


@dataclass
class RunningChild:
    """A child that downloads; `seconds` is its limit by the fair clock, at `check_at` it is looked at (monotonic)."""

    ending: socket.socket
    started_at: float
    seconds: float
    check_at: float
    overdue: Overdue | None = None


class ForkServer:
    """Forks children on request, ends those that take too long, and reports how each ended."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._children: dict[int, RunningChild] = {}
        self._downloads = 0
        self._has_languages = False
        self._selector = selectors.DefaultSelector()
        self._wakeup, notify = socket.socketpair()
        for end in (self._wakeup, notify):
            end.setblocking(False)
        self._notify = notify
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(notify.fileno(), warn_on_full_buffer=False)
        self._selector.register(requests, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until the parent closes its socket."""
        is_open = True
        while is_open:
            for key, _ in self._selector.select(self._seconds_to_next_check()):
                if key.fileobj is self._requests:
                    is_open = self._accept()
                else:
                    self._wakeup.recv(4096)
            self._report_ended()
            self._end_overdue()
            if not self._has_languages and self._downloads >= DOWNLOADS_BEFORE_LANGUAGES:
                self._has_languages = True
                _share(load_languages)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _accept(self) -> bool:
        """Fork a child for the next request; return False if the parent is gone."""
        seconds, handles, _, _ = socket.recv_fds(self._requests, 4, 2)
        if not seconds:
            return False
        answer, ending = (socket.socket(fileno=handle) for handle in handles)
        try:
            pid = os.fork()
        except OSError:  # too many processes, or too little memory
            _tell(ending, Ending(None))
        else:
            if pid == 0:
                _become_child(answer)
            now = monotonic()
            limit = int.from_bytes(seconds, "big") / 1000
            self._children[pid] = RunningChild(ending, now, limit, now + limit)
            self._downloads += 1
        answer.close()
        return True

    def _report_ended(self) -> None:
        while self._children:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            ended = self._children.pop(pid)
            _tell(ended.ending, Ending(status, ended.overdue, usage.ru_utime + usage.ru_stime))

    def _end_overdue(self) -> None:
        now = monotonic()
        for pid, running in self._children.items():
            if running.overdue or now < running.check_at:
                continue
            # A child that is not running may be waiting for a processor, which nobody's document is to blame for.
            fair = now - running.started_at - waited_for_processor(Path(f"/proc/{pid}/schedstat"))
            if now - running.started_at >= ABSOLUTE_SECONDS:
                running.overdue = Overdue.ABSOLUTE
            elif fair >= running.seconds:
                running.overdue = Overdue.FAIR
            else:
                running.check_at = min(now + running.seconds - fair, running.started_at + ABSOLUTE_SECONDS)
                continue
            os.kill(pid, signal.SIGKILL)

    def _seconds_to_next_check(self) -> float | None:
        checks = [each.check_at for each in self._children.values() if not each.overdue]
        return max(0.0, min(checks) - monotonic()) if checks else None


def _become_child(answer: socket.socket) -> None:
    """Download in this process, which has just been forked, and end it."""
    status = FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child.run(child.isolate(answer))
        status = 0
    finally:
        os._exit(status)


def _share(load: Callable[[], None]) -> None:
    """Load something that the children share: their collector touches, and so copies, nothing of it."""
    load()
    gc.collect()
    gc.freeze()


def _tell(ending: socket.socket, how: Ending) -> None:
    """Say how a child ended; nobody may be listening any more."""
    try:
        ending.sendall(how.encode())
    except OSError:
        pass
    finally:
        ending.close()


def main() -> None:
    """Run the server on the socket that is this process's standard input."""
    requests = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    _share(warm_up)
    ForkServer(requests).serve()


if __name__ == "__main__":
    main()
