"""Log one line per request, without personal data: the route's template in place of the path."""

import logging
import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web.failures import status_of

MONITORING_PATHS = ("/health/", "/metrics")  # requested by machines every few seconds: logged at DEBUG only

CLIENT_CLOSED_REQUEST = 499  # the visitor left before the answer; in no RFC, but common in web servers' logs

log = logging.getLogger(__name__)


class AccessLog:
    """Log each request's method, route, status and duration. It runs inside Guards, so it sees HEAD as GET."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log its outcome."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at, status = time.perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except ClientDisconnect:
            status = CLIENT_CLOSED_REQUEST
            raise
        except Exception as error:
            status = status_of(error)  # the status that Guards, the outer middleware, will send
            raise
        finally:
            _log_request(scope, status, time.perf_counter() - started_at)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    level = logging.DEBUG if route and route.startswith(MONITORING_PATHS) else logging.INFO
    if log.isEnabledFor(level):
        fields = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        log.log(level, "request", extra=fields)


def _route(scope: Scope) -> str | None:
    """Return the template of the path, or the mount point of a mounted app; None if no route matched."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path or (scope["root_path"] if "endpoint" in scope else None)
