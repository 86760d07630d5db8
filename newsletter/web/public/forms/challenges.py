"""GET /challenge: what the widget of the proof of work asks our own site for."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from newsletter.consent.limits import proof_of_work
from newsletter.web.guards import route_rules
from newsletter.web.site import CurrentSite

router = APIRouter()


@router.get("/challenge")
@route_rules()
def challenge(site: CurrentSite) -> JSONResponse:
    """Return a new challenge, whether or not sign-ups wait: the visitor's page may be some minutes old."""
    return JSONResponse(proof_of_work.challenge(site.keyring, now=site.now()).to_dict())
