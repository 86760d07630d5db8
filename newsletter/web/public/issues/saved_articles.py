"""The page of the articles that a reader has saved. Their browser keeps them; the site never learns which."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from newsletter.web import negotiation
from newsletter.web.guards import route_rules
from newsletter.web.site import CurrentSite

router = APIRouter()


@router.get("/saved")
@route_rules(scripts=True)
def saved(request: Request, site: CurrentSite) -> HTMLResponse:
    """Show the page, which its script fills from the browser's storage."""
    every = list(site.offered.get().newsletters.values())
    shown = negotiation.choices(request, f"{site.root}/saved", negotiation.offered_in_any(every))
    return site.page("saved", **shown, newsletter=every[0] if len(every) == 1 else None)
