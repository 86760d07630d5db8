"""A downloader whose downloads run in processes of their own, within limits of processor time, memory and duration."""

import os
import signal
import socket
from collections.abc import Collection
from threading import Lock
from time import monotonic
from typing import cast

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.downloading.child import out_of_memory
from newsletter.content.downloading.downloader import (
    DownloadCancelled,
    DownloadInterrupted,
    FeedDownload,
    LimitExceeded,
    PictureDownload,
)
from newsletter.content.downloading.limits import ABSOLUTE_SECONDS, Limits
from newsletter.content.downloading.messages import MAX_ANSWER, DownloadRequest, Ending, Overdue, decode_answer
from newsletter.content.downloading.server_process import ServerProcess
from newsletter.content.fetching.http import MAX_SECONDS

# Without an ending for so long, the fork server itself hangs: its children end after ABSOLUTE_SECONDS.
MAX_WAIT = ABSOLUTE_SECONDS + 15.0
RECEIVED_OCTETS = 65_536  # at most in one read
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


class SandboxedDownloader:
    """A downloader that any number of threads may share; a fork server makes a child for each download.

    The server starts with the first download, and again if it has ended. `allow` lists private hosts that may be
    reached. `fetch_seconds` limits the exchange with a server, `limits` the whole download.
    """

    def __init__(
        self,
        *,
        allow: Collection[AllowedHost] = (),
        fetch_seconds: float = MAX_SECONDS,
        limits: Limits | None = None,
    ) -> None:
        self._allow = tuple(allow)
        self._fetch_seconds = fetch_seconds
        self._limits = limits or Limits()
        self._starting = Lock()
        self._server: ServerProcess | None = None
        self._is_closed = False

    def feed(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> FeedDownload:
        """Download a feed, conditionally if validators are given."""
        request = DownloadRequest(
            kind="feed",
            url=url,
            etag=etag,
            last_modified=last_modified,
            allow=self._allow,
            fetch_seconds=self._fetch_seconds,
            limits=self._limits,
        )
        return cast("FeedDownload", self._download(request))

    def picture(self, url: str) -> PictureDownload:
        """Download a picture."""
        request = DownloadRequest(
            kind="picture", url=url, allow=self._allow, fetch_seconds=self._fetch_seconds, limits=self._limits
        )
        return cast("PictureDownload", self._download(request))

    def close(self) -> None:
        """End all downloads, each with DownloadCancelled, and allow no further one."""
        with self._starting:
            self._is_closed = True
            if self._server:
                self._server.kill()

    @property
    def server_pid(self) -> int | None:
        """The process ID of the fork server, if it has been started."""
        return self._server.pid if self._server else None

    def _download(self, request: DownloadRequest) -> FeedDownload | PictureDownload:
        try:
            answer, ending = self._ask(request)
        except TimeoutError as error:
            self._restart()
            raise DownloadInterrupted("The process that downloads feeds does not respond; it is restarted.") from error
        except OSError as error:
            if self._is_closed:
                raise DownloadCancelled from error
            raise DownloadInterrupted("The process that downloads feeds has ended; it is started again.") from error
        if ending.status == 0 and not ending.overdue:
            return decode_answer(answer)
        raise explained(ending, self._limits)

    def _ask(self, request: DownloadRequest) -> tuple[bytes, Ending]:
        """Return a child's answer, and how it ended. Raises OSError if the server is gone or hangs."""
        until = monotonic() + MAX_WAIT
        ours, theirs = socket.socketpair()
        told, tell = socket.socketpair()
        with ours, told:
            with theirs, tell:
                self._running_server().fork(theirs, tell, seconds=self._limits.seconds)
            ours.settimeout(MAX_WAIT)
            ours.sendall(request.encode())
            ours.shutdown(socket.SHUT_WR)
            answer = _read(ours, until)
            how = _read(told, until)
        if not how:
            raise ConnectionError("the fork server has ended")
        return answer, Ending.decode(how)

    def _running_server(self) -> ServerProcess:
        with self._starting:
            if self._is_closed:
                raise ConnectionError("the downloader is closed")
            if self._server is None or not self._server.runs:
                self._server = ServerProcess()
            return self._server

    def _restart(self) -> None:
        with self._starting:
            if self._server:
                self._server.kill()


def explained(ending: Ending, limits: Limits) -> LimitExceeded | DownloadInterrupted:
    """Return the error for a child that did not end by itself: whose fault it is, and why."""
    if ending.status is None:
        return DownloadInterrupted("No process could be started for the download.")
    if ending.overdue == Overdue.ABSOLUTE:
        return DownloadInterrupted(
            f"This machine is too busy: the download was not done in {ABSOLUTE_SECONDS} seconds."
        )
    if ending.overdue == Overdue.FAIR:
        return LimitExceeded(f"The download takes more than {limits.seconds:g} seconds.")
    if not os.WIFSIGNALED(ending.status):  # it could not even answer
        return out_of_memory(limits.memory)
    return _explained_signal(os.WTERMSIG(ending.status), ending.cpu_seconds, limits)


def _explained_signal(number: int, cpu_seconds: float, limits: Limits) -> LimitExceeded | DownloadInterrupted:
    if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_seconds >= limits.cpu_seconds):
        return LimitExceeded(f"Reading the document takes more than {limits.cpu_seconds} seconds of processor time.")
    if number in CRASHES:  # a library written in C that gets no memory, or has a fault
        return LimitExceeded("The document crashes the program that reads it.")
    return DownloadInterrupted(f"Signal {number} ended the download's process.")


def _read(source: socket.socket, until: float) -> bytes:
    """Read to the end. Raises TimeoutError at `until`, LimitExceeded if there is more than any sound answer."""
    received = bytearray()
    while True:
        source.settimeout(max(until - monotonic(), 0.001))
        octets = source.recv(RECEIVED_OCTETS)
        if not octets:
            return bytes(received)
        received += octets
        if len(received) > MAX_ANSWER:
            raise LimitExceeded(f"The document is larger than {MAX_ANSWER >> 20} MB after it was read.")
