"""Limit request bodies, add security headers to every response, answer HEAD and bent paths: ASGI middleware."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web import cross_site, paths
from newsletter.web.failures import TooLarge, error_response
from newsletter.web.public.forms import thank_you_pages

DEFAULT_BODY_BYTES = 1024  # for routes that expect no body: some clients send a small one anyway
FORM_BODY_BYTES = 64 * 1024  # far above the longest legitimate form


def policy(*, scripts: bool, posts_lead_to: Iterable[str]) -> str:
    """Return a Content-Security-Policy: no third parties, and no framing, against clickjacking.

    `scripts`: our own run on the page. Every page may ask our own host: tools such as Lighthouse read robots.txt from
    the page, and otherwise report it as broken. `posts_lead_to` are origins of the publisher to which the
    answer to a form may lead: Chromium holds redirects to form-action, too.
    """
    own_scripts = "script-src 'self'; " if scripts else ""
    posts = " ".join(["'self'", *sorted(posts_lead_to)])
    return (
        f"default-src 'none'; style-src 'self'; {own_scripts}connect-src 'self'; img-src 'self'; form-action {posts}; "
        "frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


NO_REFERRER = "no-referrer"
# With no-referrer a browser posts `Origin: null`, which we could not tell from a foreign page's.
SAME_ORIGIN = "same-origin"


class RouteRules(NamedTuple):
    """A route's limits. The defaults are the strictest; they apply to every route that declares none."""

    body_limit: int = DEFAULT_BODY_BYTES  # bytes
    is_public: bool = False  # the page is the same for everybody: caches may store it, search engines may index it
    scripts: bool = False  # our own scripts run on the page; they need none to be used
    referrer: str = NO_REFERRER  # the Referrer-Policy; SAME_ORIGIN for pages with a form


STRICTEST = RouteRules()
IS_PRIVATE = "is_private"  # of a request's state

Endpoint = TypeVar("Endpoint")


def route_rules(
    *,
    body_limit: int = STRICTEST.body_limit,
    public: bool = STRICTEST.is_public,
    scripts: bool = STRICTEST.scripts,
    referrer: str = STRICTEST.referrer,
) -> Callable[[Endpoint], Endpoint]:
    """Decorate an endpoint with its route's limits, such as `@route_rules(body_limit=1024 * 1024)` for a webhook."""

    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.route_rules = RouteRules(body_limit, public, scripts, referrer)  # type: ignore[attr-defined]
        return endpoint

    return declare


def _rules(scope: Scope) -> RouteRules:
    """Return the matched route's rules; the strictest ones if no route has matched."""
    rules: RouteRules = getattr(scope.get("endpoint"), "route_rules", STRICTEST)
    return rules


def is_public(scope: Scope) -> bool:
    """Whether the page is the same for everybody: the matched route says so, and `keep_private` was not called."""
    return _rules(scope).is_public and not scope.get("state", {}).get(IS_PRIVATE)


def keep_private(request: Request) -> None:
    """Treat the answer to this request as somebody's, although the route is public: its URL holds what is theirs."""
    setattr(request.state, IS_PRIVATE, True)


async def refuse_by_length(request: Request) -> None:
    """Refuse a body by its Content-Length, before a byte is read. Raises TooLarge. A dependency of every route.

    It also protects endpoints that never read the body.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > (limit := _rules(request.scope).body_limit):
        raise TooLarge(limit)


class Guards:
    """Refuses bodies over the route's limit while they arrive, answers HEAD and failures, and adds security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting the bytes received and adding headers to the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Mail scanners send HEAD. It is GET without a body, on every page (RFC 9110 section 9.3.2).
        head = scope["method"] == "HEAD"
        scope, sent = _as_meant(scope), scope
        arrived, started = 0, False

        async def limited() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            # Only endpoints read bodies, so the router has already stored the endpoint in the scope.
            if arrived > (limit := _rules(scope).body_limit):
                raise TooLarge(limit)
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                rules = _rules(scope)
                may_be_kept = is_public(scope) and message["status"] < 400
                headers = MutableHeaders(scope=message)
                _protect(headers, rules, is_public=may_be_kept, posts_lead_to=thank_you_pages.allowed(scope))
                cross_site.add_shared(scope, headers)
                _name_canonical(headers, scope, is_bent=may_be_kept and scope["path"] != sent["path"])
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(scope, limited, guarded)
        except ClientDisconnect:
            return  # the client is gone, and that is no error of ours
        except Exception as error:
            if started:
                raise
            await error_response(Request(scope), error)(scope, receive, guarded)


def _as_meant(scope: Scope) -> Scope:
    """Return the request as the router shall see it."""
    method, path = "GET" if scope["method"] == "HEAD" else scope["method"], paths.intended(scope["path"])
    is_plain = (method, path) == (scope["method"], scope["path"])
    return scope if is_plain else {**scope, "method": method, "path": path}


def _name_canonical(headers: MutableHeaders, scope: Scope, *, is_bent: bool) -> None:
    """Tell search engines the page's own address (RFC 6596) if another one led to it.

    A redirect would tell it too, but some visitors' programs follow none, and a full one repeats the Host header.
    """
    if is_bent:
        headers["Link"] = f'<{scope["app"].state.site.settings.base_url}{scope["path"]}>; rel="canonical"'


def _protect(headers: MutableHeaders, rules: RouteRules, *, is_public: bool, posts_lead_to: Iterable[str]) -> None:
    headers.setdefault("Content-Security-Policy", policy(scripts=rules.scripts, posts_lead_to=posts_lead_to))
    headers.setdefault("Referrer-Policy", rules.referrer)
    headers["X-Content-Type-Options"] = "nosniff"
    if not is_public:
        headers["Cache-Control"] = "no-store"
        headers["X-Robots-Tag"] = "noindex, nofollow"
