"""Stylesheets and icons."""

from fastapi import APIRouter
from fastapi.responses import Response

from newsletter.appearance import icons, static_files
from newsletter.errors import NotFound
from newsletter.web.guards import route_rules
from newsletter.web.site import CurrentSite

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
ASK_AGAIN = {"Cache-Control": "no-cache"}  # kept, but asked for with If-None-Match before each use

router = APIRouter()


@router.get("/static/{name}")
@route_rules(public=True)
async def static_file(name: str) -> Response:
    """Serve a stylesheet or an icon. A URL with the hash of its content is kept for a year; another hash is unknown."""
    found = static_files.find(name)
    if found is None:
        raise NotFound
    return Response(found.body, media_type=found.type, headers=FOREVER if found.is_named_by_content else ASK_AGAIN)


@router.get("/brand/{color}.css")
@route_rules(public=True)
async def brand(color: str) -> Response:
    """Serve a brand's stylesheet to pages of the release before, which name it like this."""
    return await static_file(f"brand-{color}.css")


@router.get("/favicon.ico")
@route_rules(public=True)
def favicon(site: CurrentSite) -> Response:
    """Serve the icon of the oldest newsletter, for browsers and programs that ask whatever a page says."""
    first = next(iter(site.offered.get().newsletters.values()), None)
    brand = first.brand if first else static_files.DEFAULT_BRAND
    return Response(icons.ico(brand), media_type="image/vnd.microsoft.icon", headers=ASK_AGAIN)
