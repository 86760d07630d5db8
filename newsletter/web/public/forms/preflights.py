"""Answer preflights: a browser asks whether a page of another site may send JSON (Fetch, "CORS-preflight fetch")."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from newsletter.web import cross_site
from newsletter.web.public.box import box_forms
from newsletter.web.public.offered_newsletters import OfferedNames
from newsletter.web.site import CurrentSite, Site

MAX_AGE = 600  # seconds; a site that is removed keeps the permission to ask, and is refused then

router = APIRouter()


@router.options("/subscribe")
def before_subscribing(request: Request, site: CurrentSite) -> Response:
    """Allow registered sites to post JSON. Which newsletter it will be about, a preflight does not say."""
    return _answer(request, site, "POST")


@router.options("/n/{slugs}/form")
def before_reading_a_form(slugs: str, request: Request, site: CurrentSite) -> Response:
    """Allow sites that are registered for all these newsletters to read their form. Raises NotFound."""
    return _answer(request, site, "GET", box_forms.named(slugs))


def _answer(request: Request, site: Site, method: str, names: OfferedNames = OfferedNames()) -> Response:  # noqa: B008 - it is immutable
    offered = site.offered.get(names)
    shared = cross_site.headers(request, offered, [offered.newsletter(slug) for slug in names.slugs])
    if "Access-Control-Allow-Origin" not in shared:
        return Response(status_code=403, headers=shared)
    allowed = {"Access-Control-Allow-Methods": method, "Access-Control-Allow-Headers": "content-type"}
    return Response(status_code=204, headers={**shared, **allowed, "Access-Control-Max-Age": str(MAX_AGE)})
