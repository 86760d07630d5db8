"""Which newsletter an error page belongs to, and its language: what a visitor sees should look like the page before."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from fastapi import Request

from newsletter.errors import LinkRefused
from newsletter.newsletters import Newsletter
from newsletter.web.negotiation import language_of, offered_in_any
from newsletter.web.site import Site

T = TypeVar("T")


def surroundings(request: Request, site: Site, known: LinkRefused | None = None) -> dict[str, Any]:
    """Return the arguments of `Site.page` that a request and a refused link tell: newsletter and language.

    The newsletter is the one that the link or the path names, or the only one. A link without the reader's language has
    its newsletter's.
    """
    offered = site.offered.known()
    newsletter = _newsletter(request, offered, known)
    shown = {"newsletter": newsletter}
    if known and (tag := known.language or (newsletter.language if known.newsletter_id and newsletter else None)):
        return {**shown, "tag": tag}
    tags = newsletter.languages if newsletter else offered_in_any(offered.values())
    return {**shown, "tag": language_of(request, tags), "negotiated": True}


def _newsletter(request: Request, offered: Mapping[str, Newsletter], known: LinkRefused | None) -> Newsletter | None:
    if known and known.newsletter_id:
        return next((each for each in offered.values() if each.id == known.newsletter_id), None)
    return offered.get(request.path_params.get("slug", "")) or _only(offered.values())


def _only(found: Collection[T]) -> T | None:
    return next(iter(found)) if len(found) == 1 else None
