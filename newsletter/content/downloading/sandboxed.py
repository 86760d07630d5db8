"""A downloader whose downloads run in processes of their own, within limits of processor time, memory and duration."""

import os
import selectors
import signal
import socket
from collections.abc import Collection
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, Literal, cast

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
from newsletter.content.fetching.http import MAX_SECONDS, USER_AGENT

# Without an ending for so long, the fork server itself hangs: its children end after ABSOLUTE_SECONDS.
MAX_SILENCE = ABSOLUTE_SECONDS + 15.0
RECEIVED_OCTETS = 65_536  # at most in one read
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


class SandboxedDownloader:
    """A downloader that any number of threads may share; a fork server hands each download to a child.

    The server starts with the first download, and again if it has ended. `allow` lists private hosts that may be
    reached. `agent` is the User-Agent. `fetch_seconds` limits the exchange with a server, `limits` the whole download.
    """

    def __init__(
        self,
        *,
        allow: Collection[AllowedHost] = (),
        agent: str = USER_AGENT,
        fetch_seconds: float = MAX_SECONDS,
        limits: Limits | None = None,
    ) -> None:
        self._allow = tuple(allow)
        self._agent = agent
        self._fetch_seconds = fetch_seconds
        self._limits = limits or Limits()
        self._starting = Lock()
        self._server: ServerProcess | None = None
        self._is_closed = False

    def feed(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> FeedDownload:
        """Download a feed, conditionally if validators are given."""
        validators = {"etag": etag, "last_modified": last_modified}
        return cast("FeedDownload", self._download(self._request("feed", url=url, **validators)))

    def picture(self, url: str) -> PictureDownload:
        """Download an article's picture."""
        return cast("PictureDownload", self._download(self._request("picture", url=url)))

    def logo(self, body: bytes) -> PictureDownload:
        """Read a logo, which an operator has on a disk."""
        return cast("PictureDownload", self._download(self._request("logo", body=body)))

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

    def _request(self, kind: Literal["feed", "picture", "logo"], **what: Any) -> DownloadRequest:
        return DownloadRequest(
            kind=kind,
            allow=self._allow,
            agent=self._agent,
            fetch_seconds=self._fetch_seconds,
            limits=self._limits,
            **what,
        )

    def _download(self, request: DownloadRequest) -> FeedDownload | PictureDownload:
        ours, theirs = socket.socketpair()
        told, tell = socket.socketpair()
        with ours, told:
            with theirs, tell:
                server = self._hand_over(theirs, tell)
            try:
                answer, ending = _exchange(request, ours, told)
            except OSError as error:  # the server has ended, or hangs
                self._discard(server)
                if self._is_closed:
                    raise DownloadCancelled from error
                raise DownloadInterrupted("The process that downloads feeds has ended; another is started.") from error
        if ending.status == 0 and not ending.overdue:
            return decode_answer(answer)
        raise explained(ending, self._limits)

    def _hand_over(self, answer: socket.socket, ending: socket.socket) -> ServerProcess:
        """Let a child of a server download, and return the server. It may have ended since the last download."""
        for _ in range(2):
            server = self._running_server()
            try:
                server.hand_over(answer, ending, seconds=self._limits.seconds)
            except OSError:
                self._discard(server)
            else:
                return server
        raise DownloadInterrupted("The process that downloads feeds cannot be started.")

    def _running_server(self) -> ServerProcess:
        with self._starting:
            if self._is_closed:
                raise DownloadCancelled
            if self._server and not self._server.runs:
                self._server.kill()  # its children, if it left any
                self._server = None
            self._server = self._server or ServerProcess()
            return self._server

    def _discard(self, server: ServerProcess) -> None:
        """End a server that hangs or has ended, with its children; the next download starts another."""
        with self._starting:
            server.kill()
            if self._server is server:
                self._server = None


def explained(ending: Ending, limits: Limits) -> LimitExceeded | DownloadInterrupted:
    """Return the error for a child that did not end by itself: whose fault it is, and why."""
    if ending.status is None:
        return DownloadInterrupted("No process could be started for the download.")
    if ending.overdue == Overdue.ABSOLUTE and ending.cpu_seconds < limits.cpu_seconds / 2:
        return DownloadInterrupted(f"This machine is too busy for the download to end in {ABSOLUTE_SECONDS} seconds.")
    if ending.overdue == Overdue.ABSOLUTE:  # it needs much more than others, of what the machine has little
        return _too_much_processor_time(limits)
    if ending.overdue == Overdue.FAIR:
        return LimitExceeded(f"The download takes more than {limits.seconds:g} seconds.")
    if not os.WIFSIGNALED(ending.status):  # it could not even answer
        return out_of_memory(limits.memory)
    return _explained_signal(os.WTERMSIG(ending.status), ending.cpu_seconds, limits)


def _explained_signal(number: int, cpu_seconds: float, limits: Limits) -> LimitExceeded | DownloadInterrupted:
    if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_seconds >= limits.cpu_seconds):
        return _too_much_processor_time(limits)
    if number in CRASHES:  # a library written in C that gets no memory, or has a fault
        return LimitExceeded("The document crashes the program that reads it.")
    return DownloadInterrupted(f"Signal {number} ended the download's process.")


def _too_much_processor_time(limits: Limits) -> LimitExceeded:
    return LimitExceeded(f"Reading the document takes more than {limits.cpu_seconds} seconds of processor time.")


def _exchange(request: DownloadRequest, child: socket.socket, told: socket.socket) -> tuple[bytes, Ending]:
    """Ask a child; return its answer and how it ended, which comes last.

    Raises OSError if the server has ended or hangs, LimitExceeded if the answer is larger than any sound one.
    """
    until, answer = monotonic() + MAX_SILENCE, bytearray()
    child.settimeout(MAX_SILENCE)
    with suppress(ConnectionError):  # the child has ended already; `told` says why
        child.sendall(request.encode())
        child.shutdown(socket.SHUT_WR)
    with selectors.DefaultSelector() as selector:
        selector.register(child, selectors.EVENT_READ)
        selector.register(told, selectors.EVENT_READ)
        while ready := [key.fileobj for key, _ in selector.select(max(until - monotonic(), 0))]:
            if child in ready:
                octets = _received(child)
                if not octets:
                    selector.unregister(child)
                answer += octets
                if len(answer) > MAX_ANSWER:
                    raise LimitExceeded(f"The document has more than {MAX_ANSWER >> 20} MB after it was read.")
            elif how := told.recv(RECEIVED_OCTETS):  # by now the child has ended, and its whole answer was read
                return bytes(answer), Ending.decode(how)
            else:
                raise ConnectionError("the fork server has ended")
    raise TimeoutError("the fork server hangs")


def _received(child: socket.socket) -> bytes:
    """Return the next octets of an answer, none at its end."""
    try:
        return child.recv(RECEIVED_OCTETS)
    except ConnectionError:  # it was killed before it read the request
        return b""
