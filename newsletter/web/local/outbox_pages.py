"""A small mail reader for the outbox, for requests from this machine while no mail server is set."""

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from newsletter.errors import NotFound
from newsletter.mail.transport.outbox import Outbox, OutboxLetter
from newsletter.web.loopback import require_this_machine
from newsletter.web.site import CurrentSite, Site

MAX_LISTED = 200  # letters
ZONE = "UTC"

router = APIRouter(prefix="/outbox", dependencies=[Depends(require_this_machine)])


@router.get("")
def index(site: CurrentSite) -> HTMLResponse:
    """List the letters, newest first."""
    outbox = _outbox(site)
    rows = [
        {
            "url": f"{site.root}/outbox/{kept.name}",
            "at": kept.at,
            "to": kept.message["To"],
            "subject": kept.message["Subject"],
        }
        for kept in outbox.letters(limit=MAX_LISTED)
    ]
    return site.page("outbox", letters=rows, total=len(outbox), zone=ZONE)


@router.get("/{name}")
def letter(name: str, site: CurrentSite) -> HTMLResponse:
    """Show one letter as HTML, as text and as source."""
    kept = _kept(site, name)
    message = kept.message
    shown = {
        "subject": message["Subject"],
        "sender": message["From"],
        "to": message["To"],
        "at": kept.at,
        "unsubscribe": message["List-Unsubscribe"],
    }
    parts = {part: f"{site.root}/outbox/{name}/{part}" for part in ("html", "text", "source")}
    return site.page("outbox_letter", letter=shown, views={**parts, "html": kept.html and parts["html"]}, zone=ZONE)


@router.get("/{name}/{part}")
def part(name: str, part: str, site: CurrentSite) -> Response:
    """Serve one view for a frame, in which the letter can neither run scripts nor load anything from elsewhere."""
    kept = _kept(site, name)
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {site.settings.site_origin}; "
        "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    headers = {"Content-Security-Policy": policy}
    match part:
        case "html" if kept.html:
            return HTMLResponse(kept.html.replace("<head>", '<head><base target="_blank">', 1), headers=headers)
        case "text":
            return PlainTextResponse(kept.text, headers=headers)
        case "source":
            return PlainTextResponse(kept.source, headers=headers)
    raise NotFound


def _outbox(site: Site) -> Outbox:
    return Outbox(site.settings.data_dir / "outbox")


def _kept(site: Site, name: str) -> OutboxLetter:
    kept = _outbox(site).letter(name)
    if kept is None:
        raise NotFound
    return kept
