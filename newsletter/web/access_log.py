"""Access: one line a request, and in it nothing that is anybody's: the route's template in place of the path."""

import logging
import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web.failures import status_of

ROUTINE = ("/health/", "/metrics")  # asked every few seconds, by machines

GONE = 499  # the visitor left before there was an answer; not of any RFC, but what web servers write

log = logging.getLogger(__name__)


class AccessLog:
    """Tells each request's method, route, status and length; within Guards, where a HEAD is a GET already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell what came of it when it is over."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noticed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noticed)
        except ClientDisconnect:
            status = GONE
            raise
        except Exception as error:
            status = status_of(error)  # which Guards, outside of us, will answer with
            raise
        finally:
            _tell(scope, status, time.perf_counter() - began)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    level = logging.DEBUG if route and route.startswith(ROUTINE) else logging.INFO
    if log.isEnabledFor(level):
        facts = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        log.log(level, "request", extra=facts)


def _route(scope: Scope) -> str | None:
    """The template of the path; of what is mounted, where it is. None where there is no such page."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path or (scope["root_path"] if "endpoint" in scope else None)
