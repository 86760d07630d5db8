"""The fork server: a small program that forks children, which download.

It has imported all that a download needs, so a child costs milliseconds. It holds no secrets, no connections and no
documents, and has one thread. A child downloads one document after the other, and is replaced after a number of them,
and after one that exceeded a limit or needed much memory.

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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from newsletter.content.downloading.child import isolate, serve
from newsletter.content.downloading.limits import ABSOLUTE_SECONDS
from newsletter.content.downloading.messages import READY, Ending, Overdue
from newsletter.content.downloading.warming import load_languages, warm_up
from newsletter.content.fetching.fair_clock import waited_for_processor

FAILED = 1  # the exit status of a child that could not answer
# After so many downloads the names of all languages are loaded. Before, a child that meets a date in one does itself.
# A command that looks at one feed does not wait for them.
DOWNLOADS_BEFORE_LANGUAGES = 20


@dataclass
class Child:
    """A child process. `download` is what it does now; None if it waits for another download."""

    pid: int
    control: socket.socket
    download: "RunningDownload | None" = None


@dataclass
class RunningDownload:
    """A download; `seconds` is its limit by the fair clock, at `check_at` it is looked at (monotonic).

    `waited` and `cpu_seconds` are those of its process before it began.
    """

    ending: socket.socket
    started_at: float
    seconds: float
    check_at: float
    waited: float
    cpu_seconds: float
    overdue: Overdue | None = None


class ForkServer:
    """Hands downloads to children, ends those that take too long, and reports how each download ended."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._children: dict[int, Child] = {}
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
                elif key.fileobj is self._wakeup:
                    self._wakeup.recv(4096)
                else:
                    self._report_finished(key.data)
            self._report_ended()
            self._end_overdue()
            if not self._has_languages and self._downloads >= DOWNLOADS_BEFORE_LANGUAGES:
                self._has_languages = True
                _share(load_languages)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _accept(self) -> bool:
        """Let a child do the next download; return False if the parent is gone."""
        seconds, handles, _, _ = socket.recv_fds(self._requests, 4, 2)
        if not seconds:
            return False
        answer, ending = (socket.socket(fileno=handle) for handle in handles)
        with answer:
            try:
                waiting = (each for each in self._children.values() if each.download is None)
                child = next(waiting, None) or self._fork()
            except OSError:  # too many processes, or too little memory
                _tell(ending, Ending(None))
                return True
            now, limit = monotonic(), int.from_bytes(seconds, "big") / 1000
            before = waited_for_processor(_schedule(child.pid)), _cpu_seconds(child.pid)
            child.download = RunningDownload(ending, now, limit, now + limit, *before)
            self._downloads += 1
            with suppress(OSError):  # the child has just ended; its end is reported as that of the download
                socket.send_fds(child.control, [b"."], [answer.fileno()])
        return True

    def _fork(self) -> Child:
        control, childs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _become_child(childs)
        childs.close()
        self._children[pid] = child = Child(pid, control)
        self._selector.register(control, selectors.EVENT_READ, child)
        return child

    def _report_finished(self, child: Child) -> None:
        """Report the end of a download whose child can serve another. If the child has ended, it is reaped later."""
        try:
            message = child.control.recv(len(READY))
        except ConnectionError:  # it was killed before it read its request
            message = b""
        if message != READY:
            self._selector.unregister(child.control)
        elif download := child.download:
            child.download = None
            _tell(download.ending, Ending(0, download.overdue))

    def _report_ended(self) -> None:
        while self._children:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            ended = self._children.pop(pid)
            with suppress(KeyError):
                self._selector.unregister(ended.control)
            ended.control.close()
            if download := ended.download:
                cpu_seconds = usage.ru_utime + usage.ru_stime - download.cpu_seconds
                _tell(download.ending, Ending(status, download.overdue, cpu_seconds))

    def _end_overdue(self) -> None:
        now = monotonic()
        for pid, download in self._running():
            if download.overdue or now < download.check_at:
                continue
            # A child that is not running may be waiting for a processor, which nobody's document is to blame for.
            fair = now - download.started_at - (waited_for_processor(_schedule(pid)) - download.waited)
            if now - download.started_at >= ABSOLUTE_SECONDS:
                download.overdue = Overdue.ABSOLUTE
            elif fair >= download.seconds:
                download.overdue = Overdue.FAIR
            else:
                download.check_at = min(now + download.seconds - fair, download.started_at + ABSOLUTE_SECONDS)
                continue
            os.kill(pid, signal.SIGKILL)

    def _running(self) -> list[tuple[int, RunningDownload]]:
        return [(pid, child.download) for pid, child in self._children.items() if child.download]

    def _seconds_to_next_check(self) -> float | None:
        checks = [download.check_at for _, download in self._running() if not download.overdue]
        return max(0.0, min(checks) - monotonic()) if checks else None


def _schedule(pid: int) -> Path:
    return Path(f"/proc/{pid}/schedstat")


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a child so far; 0 where the system does not tell."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, facts[11:13])) / os.sysconf("SC_CLK_TCK")


def _become_child(control: socket.socket) -> None:
    """Download in this process, which has just been forked, and end it."""
    status = FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        serve(isolate(control))
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
