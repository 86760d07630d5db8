"""What every answer carries, and how large a request may be: plain ASGI around the whole site."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web.failures import TooLarge, trouble

NO_FORM_BYTES = 1024  # of a body where none is expected: a client may send a little all the same
FORM_BYTES = 64 * 1024  # the longest honest form is far below

# No script, no third party, no frame around a button that somebody is to press (standards: clickjacking).
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Rules(NamedTuple):
    """What a route allows. The defaults are the strictest; they hold for each route that declares nothing."""

    body_limit: int = NO_FORM_BYTES  # bytes
    is_public: bool = False  # its page is the same for everybody: caches may keep it, search engines may show it


STRICTEST = Rules()

Endpoint = TypeVar("Endpoint")


def allow(
    *, body_limit: int = STRICTEST.body_limit, public: bool = STRICTEST.is_public
) -> Callable[[Endpoint], Endpoint]:
    """Declare what a route allows, as a decorator of its endpoint: `@allow(body_limit=1024 * 1024)` for a webhook."""

    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.route_rules = Rules(body_limit, public)  # type: ignore[attr-defined]
        return endpoint

    return declare


def _rules(scope: Scope) -> Rules:
    """What the matched route allows; the strictest while no route has matched."""
    found: Rules = getattr(scope.get("endpoint"), "route_rules", STRICTEST)
    return found


class Guards:
    """Refuses bodies over the route's limit while they arrive, answers HEAD and failures, and protects every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting the bytes that arrive and adding headers to the answer."""
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
            # Bodies are read by endpoints, so the router has written the endpoint into the scope by now.
            if arrived > (limit := _rules(scope).body_limit):
                raise TooLarge(limit)
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                is_public = _rules(scope).is_public and message["status"] < 400
                _protect(MutableHeaders(scope=message), is_public=is_public)
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


def _protect(headers: MutableHeaders, *, is_public: bool) -> None:
    headers.setdefault("Content-Security-Policy", POLICY)
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Content-Type-Options"] = "nosniff"
    if not is_public:
        headers["Cache-Control"] = "no-store"
        headers["X-Robots-Tag"] = "noindex, nofollow"
