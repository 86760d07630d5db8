"""What the worker, the fork server and its children say to each other.

A request comes from our own process and is a pickle. An answer comes from a process that has read a stranger's bytes,
so it is JSON, checked against the types of the result, and after it the octets of the picture and its thumbnail.
"""

import json
import pickle
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.downloading.downloader import (
    DownloadInterrupted,
    FeedDownload,
    LimitExceeded,
    PictureDownload,
)
from newsletter.content.downloading.limits import Limits
from newsletter.content.fetching.destinations import FetchError, Forbidden, ServerUnavailable
from newsletter.content.fetching.http import USER_AGENT
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.images.image_check import PictureUnsuitable
from newsletter.content.parsing.images.shrinking import PictureFile
from newsletter.errors import NewsletterError

READY = b"."  # what a child tells the fork server when it can serve another download
MAX_ANSWER = 32 << 20  # octets; the JSON of a sound feed of 5 MB has at most three times its size

# A subclass before its base.
ERRORS: tuple[type[NewsletterError], ...] = (
    *[Forbidden, ServerUnavailable, FetchError, FeedUnreadable, PictureUnsuitable],
    *[LimitExceeded, DownloadInterrupted],
)

_feed = TypeAdapter(FeedDownload)
_picture = TypeAdapter(PictureFile)


@dataclass(frozen=True, kw_only=True)
class DownloadRequest:
    """One download: what, from where, which private hosts are allowed, and within which limits.

    `fetch_seconds` is the time for the whole exchange with the server. A logo comes with the request, as `body`.
    """

    kind: Literal["feed", "picture", "logo"]
    url: str = ""
    body: bytes = b""
    etag: str | None = None
    last_modified: str | None = None
    allow: tuple[AllowedHost, ...] = ()
    agent: str = USER_AGENT
    fetch_seconds: float
    limits: Limits

    def encode(self) -> bytes:
        """Return the request as octets."""
        return pickle.dumps(self)

    @classmethod
    def decode(cls, octets: bytes) -> "DownloadRequest":
        """Read a request that this service's own process has encoded."""
        request: DownloadRequest = pickle.loads(octets)  # noqa: S301 - only our own parent process can write it
        return request


class Overdue(StrEnum):
    """Which duration a child exceeded: without the time it waited for a processor, or by the clock on the wall."""

    FAIR = "fair"
    ABSOLUTE = "absolute"


class Ending(NamedTuple):
    """How a child ended, as the fork server saw it.

    `status` is the wait status; None: it was never started. `overdue` says which duration it exceeded, if the server
    killed it for that. `cpu_seconds` is its processor time.
    """

    status: int | None
    overdue: Overdue | None = None
    cpu_seconds: float = 0.0

    def encode(self) -> bytes:
        """Return the ending as octets, few enough for one write."""
        return json.dumps(self).encode()

    @classmethod
    def decode(cls, octets: bytes) -> "Ending":
        """Read an ending. Raises ValueError if the server has not finished writing it."""
        return cls(*json.loads(octets))


def encode_result(result: FeedDownload | PictureDownload) -> bytes:
    """Return a result as an answer."""
    if isinstance(result, FeedDownload):
        return b'{"feed":' + _feed.dump_json(result) + b"}"
    files = [result.file, *([result.thumbnail] if result.thumbnail else [])]
    facts = [{**asdict(file), "body": len(file.body)} for file in files]
    return json.dumps({"pictures": facts}).encode() + b"\n" + b"".join(file.body for file in files)


def encode_error(error: NewsletterError) -> bytes:
    """Return an error as an answer; a subclass that the parent does not know becomes its nearest known base."""
    kind = next(kind for kind in ERRORS if isinstance(error, kind))
    retry_after = getattr(error, "retry_after", None)
    seconds = retry_after.total_seconds() if retry_after else None
    return json.dumps({"error": kind.__name__, "reason": str(error), "retry_after": seconds}).encode()


def decode_answer(octets: bytes) -> FeedDownload | PictureDownload:
    """Return the result of an answer, or raise its error. Raises DownloadInterrupted for an answer of no such form."""
    head, _, body = octets.partition(b"\n")
    try:
        if head.startswith(b'{"feed":'):
            return _feed.validate_json(head.removeprefix(b'{"feed":').removesuffix(b"}"))
        answer = json.loads(head)
        if "pictures" in answer:
            return _pictures(answer["pictures"], body)
        raise _error(answer)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise DownloadInterrupted("The answer of the download's process is damaged.") from error


def _pictures(facts: list[dict[str, Any]], body: bytes) -> PictureDownload:
    """Return the picture and its thumbnail, each with its part of the octets. Raises ValueError if these do not fit."""
    first, *others = facts
    if len(others) > 1 or sum(each["body"] for each in facts) != len(body):
        raise ValueError("the octets are not those of the pictures")
    end = first["body"]
    file = _picture.validate_python(first | {"body": body[:end]})
    thumbnail = _picture.validate_python(others[0] | {"body": body[end:]}) if others else None
    return PictureDownload(file=file, thumbnail=thumbnail)


def _error(answer: dict[str, Any]) -> NewsletterError:
    kind = next(kind for kind in ERRORS if kind.__name__ == answer["error"])
    reason, seconds = str(answer["reason"]), answer["retry_after"]
    if seconds is not None and issubclass(kind, FetchError):
        return kind(reason, retry_after=timedelta(seconds=float(seconds)))
    return kind(reason)
