"""One download in a process of its own, which the fork server forks and whose limits the kernel enforces."""

import os
import resource
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
from newsletter.content.downloading.limits import NICENESS, impose
from newsletter.content.downloading.messages import ERRORS, DownloadRequest, encode_error, encode_result
from newsletter.content.fetching.http import HttpFetcher

ANSWER = 3  # the file descriptor of the answer, after all others are closed
RECEIVED_OCTETS = 65_536  # at most in one read


def isolate(answer: socket.socket) -> socket.socket:
    """Close every file that this process inherited, except the answer's socket; its output goes nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    kept = os.dup(answer.detach())
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.dup2(kept, ANSWER)
    os.closerange(ANSWER + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return socket.socket(fileno=ANSWER)


def run(answer: socket.socket) -> None:
    """Read the request from the socket, download within its limits and write the answer."""
    os.nice(NICENESS)
    request = DownloadRequest.decode(b"".join(iter(lambda: answer.recv(RECEIVED_OCTETS), b"")))
    impose(request.limits)
    answer.sendall(_answer(request))


def _answer(request: DownloadRequest) -> bytes:
    try:
        return encode_result(_download(request))
    except ERRORS as error:
        return encode_error(_out_of_memory(request) if _is_memory_error(error) else error)
    except MemoryError:
        return encode_error(_out_of_memory(request))
    except Exception as error:  # noqa: BLE001 - a bug of ours, which the worker logs
        kind, place = type(error).__name__, _place(error.__traceback__)
        return encode_error(DownloadInterrupted(f"The service has a fault: {kind} in {place}."))


def _download(request: DownloadRequest) -> FeedDownload | PictureDownload:
    downloader = DirectDownloader(HttpFetcher(allow=request.allow, agent=request.agent, seconds=request.fetch_seconds))
    if request.kind == "picture":
        return downloader.picture(request.url)
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
