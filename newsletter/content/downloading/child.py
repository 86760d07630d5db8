"""Downloads in a process of their own, which the fork server forks and whose limits the kernel enforces."""

import os
import resource
import signal
import socket
import traceback
from pathlib import Path
from types import TracebackType

from newsletter.content.downloading.downloader import (
    DirectDownloader,
    DownloadInterrupted,
    FeedDownload,
    LimitExceeded,
    PictureDownload,
)
from newsletter.content.downloading.limits import MAX_DOWNLOADS, NICENESS, impose, is_used_up
from newsletter.content.downloading.messages import ERRORS, READY, DownloadRequest, encode_error, encode_result
from newsletter.content.fetching.http import HttpFetcher

CONTROL = 3  # the file descriptor of the socket to the fork server, after all others are closed
RECEIVED_OCTETS = 65_536  # at most in one read


def isolate(control: socket.socket) -> socket.socket:
    """Close every file that this process inherited, except the control socket; its output goes nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    kept = os.dup(control.detach())
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.dup2(kept, CONTROL)
    os.closerange(CONTROL + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return socket.socket(fileno=CONTROL)


def serve(control: socket.socket) -> None:
    """Download what the fork server hands over, until it hands over no more or this process is used up."""
    os.nice(NICENESS)
    for number in range(1, MAX_DOWNLOADS + 1):
        _, handles, _, _ = socket.recv_fds(control, 1, 1)
        if not handles:
            return
        with socket.socket(fileno=handles[0]) as answer:
            is_reusable = run(answer)
        if number == MAX_DOWNLOADS or not is_reusable or is_used_up():
            return  # without a word, for the fork server must not hand over another download
        signal.alarm(0)
        control.sendall(READY)


def run(answer: socket.socket) -> bool:
    """Read a request, download within its limits and write the answer; return whether no limit was exceeded."""
    request = DownloadRequest.decode(b"".join(iter(lambda: answer.recv(RECEIVED_OCTETS), b"")))
    impose(request.limits)
    try:
        octets, is_reusable = _answer(request), True
    except LimitExceeded as error:
        octets, is_reusable = encode_error(error), False
    answer.sendall(octets)
    return is_reusable


def _answer(request: DownloadRequest) -> bytes:
    """Return the answer. Raises LimitExceeded if the memory does not suffice."""
    try:
        return encode_result(_download(request))
    except LimitExceeded:
        raise
    except ERRORS as error:
        if _is_memory_error(error):
            raise _out_of_memory(request) from error
        return encode_error(error)
    except MemoryError as error:
        raise _out_of_memory(request) from error
    except Exception as error:  # noqa: BLE001 - a bug of ours, which the worker logs
        kind, place = type(error).__name__, _place(error.__traceback__)
        return encode_error(DownloadInterrupted(f"The service has a fault: {kind} in {place}."))


def _download(request: DownloadRequest) -> FeedDownload | PictureDownload:
    downloader = DirectDownloader(HttpFetcher(allow=request.allow, agent=request.agent, seconds=request.fetch_seconds))
    if request.kind == "picture":
        return downloader.picture(request.url)
    if request.kind == "logo":
        return downloader.logo(request.body)
    return downloader.feed(request.url, etag=request.etag, last_modified=request.last_modified)


def _is_memory_error(error: BaseException | None) -> bool:
    """Return whether an error was caused by too little memory: parsers report any exception as a broken document."""
    while error:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _out_of_memory(request: DownloadRequest) -> LimitExceeded:
    return out_of_memory(request.limits.memory)


def out_of_memory(limit: int) -> LimitExceeded:
    """Return the error of a document that needs more than `limit` octets."""
    return LimitExceeded(f"Reading the document takes more than {limit >> 20} MB of memory.")


def _place(trace: TracebackType | None) -> str:
    """Return the file and line of an error, without text of the document."""
    last = traceback.extract_tb(trace)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
