"""A page that takes the whole link of a letter, for visitors whose mail program has cut it in two.

The link arrives in the body of a POST, because the addresses of requests are logged and a link is a secret.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate, islice, takewhile
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from newsletter.consent.signups import renewals
from newsletter.errors import LinkUnreadable
from newsletter.links import PATHS, Purpose, ReadToken
from newsletter.web.form_data import RequestForm, first_value
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.site import CurrentSite, Site
from newsletter.web.surroundings import surroundings

# What mail programs put into a link that they break: white space, quotation marks, soft line breaks (RFC 2045).
BREAKS = re.compile(r"=\r?\n|[\s<>\"']+")
READERS_PATHS = {path: [each for each in PATHS if PATHS[each] == path] for path in set(PATHS.values())}
del READERS_PATHS[PATHS[Purpose.OPERATOR_LINK]]
SIGNED = r"[A-Za-z0-9]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?"  # a token, and what a letter appends to it
MAX_BREAKS = 8  # in a link; what stands behind it may contain more
MAX_LINKS = 100  # of a text that are looked at; a letter has fewer
LINK = re.compile(rf"/({'|'.join(sorted(READERS_PATHS, key=len, reverse=True))})/({SIGNED})")

router = APIRouter()


@router.get("/link")
def link_form(request: Request, site: CurrentSite) -> HTMLResponse:
    """Show the field for a link."""
    return _page(request, site, "asked", 200)


@router.post("/link")
@route_rules(body_limit=FORM_BODY_BYTES)
def open_link(form: RequestForm, request: Request, site: CurrentSite) -> Response:
    """Lead to the page that the link opens; show the field again if it is none of ours. Leads to no other site."""
    path = path_of(site, first_value(form, "link"))
    return RedirectResponse(f"{site.root}{path}", 303) if path else _page(request, site, "wrong", 422)


def path_of(site: Site, text: str) -> str | None:
    """Return the path of the first whole link of ours in a text, also behind another site's; None if there is none."""
    for spelling in dict.fromkeys((text, unquote(text), unquote(BREAKS.sub("", text)))):
        pieces = BREAKS.split(spelling)
        breaks = list(accumulate(map(len, pieces)))  # where they were, in the pieces as one
        for found in islice(LINK.finditer("".join(pieces)), MAX_LINKS):
            if token := _whole(site, found, breaks):
                return f"/{found[1]}/{token}"
    return None


def _whole(site: Site, found: re.Match[str], breaks: Sequence[int]) -> str | None:
    """Return the token of a link, with its part if it has one. It ends at a break, or there is no break in it."""
    path, (start, end) = found[1], found.span(2)
    first = bisect_right(breaks, start)
    ends = [*takewhile(lambda each: each < end, breaks[first : first + MAX_BREAKS]), end]
    readable = [(token, link) for each in ends if (link := _read(site, path, token := found.string[start:each]))]
    for token, link in readable:
        if renewals.read(site.keyring, link):
            return token
    return min(readable, key=lambda each: bool(each[1].rest))[0] if readable else None


def _read(site: Site, path: str, token: str) -> ReadToken | None:
    for purpose in READERS_PATHS[path]:
        with suppress(LinkUnreadable):
            return site.links.read_with_rest(token, purpose)
    return None


def _page(request: Request, site: Site, state: str, status: int) -> HTMLResponse:
    return site.page("whole_link", status=status, state=state, **surroundings(request, site))
