"""Posts from other sites: which origin a browser states, and which sites may read what we answer (Fetch, CORS).

Sites are registered for each newsletter. They post without credentials, and no answer ever allows any.
"""

import re
from collections.abc import Sequence

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import Scope

from newsletter import origins
from newsletter.newsletters import Newsletter
from newsletter.web.public.offered_newsletters import OfferedNewsletters
from newsletter.web.site import Site

# `null` is the origin of sandboxed frames, of some redirects and of files; old web views write file:// for these.
UNSTATED = ("", "null", "file://")
SHARED = "newsletter.cross_site"  # in the scope of a request: what its answer is about
SERIALIZED = re.compile(r"[^/?#]+://[^/?#]+")  # RFC 6454 section 7: an origin has no path


def origin_stated(request: Request) -> str | None:
    """Return the origin of the page that sent a request, in its one spelling; None if the browser does not state it.

    What is no origin of http or https is returned as it came, and so are two origins: no site has such a one.
    """
    sent = ", ".join(request.headers.getlist("origin"))
    if sent in UNSTATED:
        return None
    parsed = origins.parse(sent) if SERIALIZED.fullmatch(sent) else None
    return sent if parsed is None else str(parsed)


def is_own(request: Request, origin: str, site: Site) -> bool:
    """Whether an origin is our own: that of BASE_URL, or the one under which the request reached us.

    The latter is how a machine in the local network is tried without settings. A page cannot choose its Host header.
    """
    stated, own = origins.parse(origin), origins.parse(site.settings.base_url)
    if stated is None:
        return False
    return stated in (own, origins.parse(f"{stated.scheme}://{request.headers.get('host', '')}"))


def has_our_name(origin: str, site: Site) -> bool:
    """Whether the host of an origin is that of BASE_URL, and not another that somebody leads to this machine."""
    stated, own = origins.parse(origin), origins.parse(site.settings.base_url)
    return stated is not None and own is not None and stated.host == own.host


def is_on(url: str, origin: str) -> bool:
    """Whether a page is on the site with this origin."""
    parsed = origins.parse(url)
    return parsed is not None and str(parsed) == origin


def is_registered(origin: str, offered: OfferedNewsletters, newsletters: Sequence[Newsletter]) -> bool:
    """Whether a site may show the form of all these newsletters; without any, that of some newsletter."""
    if newsletters:
        return all(origin in offered.sites.get(each.id, ()) for each in newsletters)
    return any(origin in registered for registered in offered.sites.values())


def headers(request: Request, offered: OfferedNewsletters, newsletters: Sequence[Newsletter]) -> dict[str, str]:
    """Return the headers that let a registered site read an answer about these newsletters.

    Without newsletters the answer is about none, such as an error: any registered site may read it.
    """
    origin = origin_stated(request)
    if origin is None or not is_registered(origin, offered, newsletters):
        return {"Vary": "Origin"}
    # As it was sent: browsers compare it character by character.
    return {"Vary": "Origin", "Access-Control-Allow-Origin": request.headers["origin"]}


def share(request: Request, offered: OfferedNewsletters, newsletters: Sequence[Newsletter]) -> None:
    """Let Guards add these headers to whatever answer the request gets, a failure as well. The last call counts."""
    request.scope[SHARED] = offered, newsletters


def add_shared(scope: Scope, answer: MutableHeaders) -> None:
    """Add the headers of what `share` has named to those of an answer."""
    if SHARED not in scope:
        return
    for name, value in headers(Request(scope), *scope[SHARED]).items():
        if name == "Vary":
            if value not in re.split(r",\s*", answer.get("vary", "")):
                answer.add_vary_header(value)
        else:
            answer[name] = value
