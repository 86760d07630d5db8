"""A desk with an origin of its own (NEWSLETTER_DESK_URL): ASGI middleware.

The desk is served on its own host alone, and nothing else is but what its pages load: so no page of the site shares the
desk's origin, and no cookie of the desk is ever sent to the site.
"""

from urllib.parse import urlsplit

from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.errors import NotFound
from newsletter.origins import DEFAULT_PORTS
from newsletter.settings import Settings
from newsletter.web.desk.frame import failures
from newsletter.web.desk.frame.desk import Desk

# What the pages of the desk load, and what watches the service.
SHARED = ("/static/", "/pictures/", "/brand/", "/favicon.ico", "/health", "/metrics")


class DeskHost:
    """Keeps desk and site apart, if the desk has an origin of its own. It runs inside Guards."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its host may answer it."""
        settings: Settings | None = scope["app"].state.site.settings if scope["type"] == "http" else None
        if settings and settings.has_desk_host and (answer := self._answer(Request(scope), settings)):
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _answer(self, request: Request, settings: Settings) -> Response | None:
        """Return the answer to a request that came to the wrong host; None if it came to the right one."""
        wants_desk, is_desk_host = failures.is_at_desk(request), _is_desk_host(request, settings)
        nobody = Desk(request, request.app.state.site, None)
        if wants_desk and not is_desk_host:
            return failures.told(nobody, NotFound(_elsewhere(settings)))
        if is_desk_host and not wants_desk and not request.url.path.startswith(SHARED):
            is_start = request.url.path == "/" and request.method == "GET"
            return RedirectResponse("/desk", 303) if is_start else failures.told(nobody, NotFound())
        return None


def _is_desk_host(request: Request, settings: Settings) -> bool:
    """Whether the request names the desk's host, with or without the port that its scheme has anyway."""
    url = urlsplit(settings.desk_origin)
    port = url.port or DEFAULT_PORTS[url.scheme]
    hosts = {url.netloc.lower(), f"{url.netloc.lower().removesuffix(f':{url.port}')}:{port}"}
    if port == DEFAULT_PORTS[url.scheme]:
        hosts.add(url.netloc.lower().removesuffix(f":{port}"))
    return request.headers.get("host", "").lower() in hosts


def _elsewhere(settings: Settings) -> str:
    return (
        f"The desk is at {settings.desk_origin}/desk and nowhere else. If this is what your browser shows, the proxy "
        "in front of the service does not pass the Host header on."
    )
