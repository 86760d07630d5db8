"""What every answer carries, and what no request may be: plain ASGI around the whole site."""

import re

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web.failures import TooLarge, trouble

BODY_LIMIT = 64 * 1024  # bytes; the longest honest form is far below

PRIVATE = re.compile(r"^/(?:u|confirm|never|preferences)/")

# No script, no third party, no frame around a button that somebody is to press (standards: clickjacking).
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Guards:
    """Refuses bodies over 64 KiB while they arrive, answers HEAD and where a page fails, and protects every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what arrives and dressing what leaves."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # HEAD is GET without a body, on every page: mail scanners ask so (RFC 9110 section 9.3.2).
        head = scope["method"] == "HEAD"
        scope = {**scope, "method": "GET"} if head else scope
        arrived, started = 0, False

        async def limited() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > BODY_LIMIT:
                raise TooLarge
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _protect(MutableHeaders(scope=message), scope["path"])
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(scope, limited, guarded)
        except ClientDisconnect:
            return  # nobody is left to be answered, and nothing of ours went wrong
        except Exception as error:
            if started:
                raise
            await trouble(Request(scope), error)(scope, receive, guarded)


def _protect(headers: MutableHeaders, path: str) -> None:
    headers.setdefault("Content-Security-Policy", POLICY)
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Content-Type-Options"] = "nosniff"
    if PRIVATE.match(path):
        headers["Cache-Control"] = "no-store"
        headers["X-Robots-Tag"] = "noindex, nofollow"
