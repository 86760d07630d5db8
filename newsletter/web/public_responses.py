"""Give public pages an entity tag, answer 304 to those who have them, and compress them: ASGI middleware.

Only what is the same for everybody is compressed. The length of a compressed page tells what it repeats of its request,
so a page with a link's token or with what a visitor entered would give it away to an eavesdropper (BREACH).
"""

import gzip
import hashlib
from functools import lru_cache

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web.guards import is_public

COMPRESSIBLE = (
    "text/",
    "application/json",
    "application/xml",
    "application/atom+xml",
    "application/feed+json",
    "image/svg+xml",
)
MIN_BYTES = 512  # a smaller body fits into one packet anyway
LONG = 64 * 1024  # bytes
LEVEL = 6  # beyond it, the same text takes longer to save a hundredth


class PublicResponses:
    """Adds ETag to complete public responses, and compresses text. It runs inside Guards, which answers HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; hold the start of a public response until its body is known."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def send_finished(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 200 and is_public(scope):
                start = message
                return
            if start is not None:
                first, start = start, None
                if not message.get("more_body"):
                    first, message = await _finished(Headers(scope=scope), first, message)
                await send(first)
            await send(message)

        await self.app(scope, receive, send_finished)


async def _finished(request: Headers, start: Message, body: Message) -> tuple[Message, Message]:
    start = {**start, "headers": list(start["headers"])}
    headers, content = MutableHeaders(scope=start), body.get("body", b"")
    # Weak, because the same content has another length when it is compressed.
    headers["ETag"] = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    is_text = headers.get("content-type", "").startswith(COMPRESSIBLE)
    if is_text:
        headers.add_vary_header("Accept-Encoding")
    if _has(request.get("if-none-match", ""), headers["ETag"]):
        for name in ("content-length", "content-type"):
            del headers[name]
        return {**start, "status": 304}, {**body, "body": b""}
    if is_text and len(content) >= MIN_BYTES and _accepts_gzip(request.get("accept-encoding", "")):
        # A long one takes so many milliseconds that other visitors would notice.
        content = _compressed(content) if len(content) < LONG else await run_in_threadpool(_compressed, content)
        headers["Content-Encoding"], headers["Content-Length"] = "gzip", str(len(content))
    return start, {**body, "body": content}


@lru_cache(maxsize=128)
def _compressed(content: bytes) -> bytes:
    """Compress; a stylesheet and a page that many ask for are compressed once."""
    return gzip.compress(content, LEVEL, mtime=0)


def _has(condition: str, tag: str) -> bool:
    """Whether If-None-Match names the tag, by the weak comparison (RFC 9110 section 13.1.2)."""
    listed = {each.strip().removeprefix("W/") for each in condition.split(",")}
    return "*" in listed or tag.removeprefix("W/") in listed


def _accepts_gzip(accepted: str) -> bool:
    """Whether Accept-Encoding names gzip with a quality above 0 (RFC 9110 section 12.5.3)."""
    for coding in accepted.lower().split(","):
        name, _, weight = coding.replace(" ", "").partition(";q=")
        if name in ("gzip", "*"):
            return not weight or weight.strip("0.") != ""
    return False
