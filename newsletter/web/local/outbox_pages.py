"""A small mail reader for the outbox, where no mail server is set: on this machine only."""

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from newsletter.errors import NotFound
from newsletter.mail.transport.outbox import Outbox, OutboxLetter
from newsletter.web.loopback import on_this_machine
from newsletter.web.site import Here, Site

LISTED = 200
ZONE = "UTC"

router = APIRouter(prefix="/outbox", dependencies=[Depends(on_this_machine)])


@router.get("")
def index(here: Here) -> HTMLResponse:
    """The letters, newest first."""
    outbox = _outbox(here)
    rows = [
        {"url": f"/outbox/{kept.name}", "at": kept.at, "to": kept.message["To"], "subject": kept.message["Subject"]}
        for kept in outbox.letters(limit=LISTED)
    ]
    return here.page("outbox", letters=rows, total=len(outbox), zone=ZONE)


@router.get("/{name}")
def letter(name: str, here: Here) -> HTMLResponse:
    """One letter: as laid out, as text, as source."""
    kept = _kept(here, name)
    message = kept.message
    shown = {
        "subject": message["Subject"],
        "sender": message["From"],
        "to": message["To"],
        "at": kept.at,
        "unsubscribe": message["List-Unsubscribe"],
    }
    parts = {part: f"/outbox/{name}/{part}" for part in ("html", "text", "source")}
    return here.page("outbox_letter", letter=shown, views={**parts, "html": kept.html and parts["html"]}, zone=ZONE)


@router.get("/{name}/{part}")
def part(name: str, part: str, here: Here) -> Response:
    """One part for a frame; the letter can neither run anything nor reach anybody from there."""
    kept = _kept(here, name)
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {here.settings.base_url}; "
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


def _outbox(here: Site) -> Outbox:
    return Outbox(here.settings.data_dir / "outbox")


def _kept(here: Site, name: str) -> OutboxLetter:
    kept = _outbox(here).letter(name)
    if kept is None:
        raise NotFound
    return kept
