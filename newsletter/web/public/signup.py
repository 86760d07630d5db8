"""Signing up: the pages that offer it, and POST /subscribe, which answers everybody alike."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import signups
from newsletter.consent.forms import CONFIRM_WITHIN
from newsletter.consent.ledger import Trace
from newsletter.content.digests import digests
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from newsletter.web.failures import wants_json
from newsletter.web.form_data import Form, Posted, one
from newsletter.web.guards import FORM_BYTES, allow
from newsletter.web.public.archive import latest
from newsletter.web.public.signup_form import NotAsked, SignupForm, asked
from newsletter.web.site import Here, Origin, Reading, Site

MESSAGE = "A letter is on its way to this address. Open it and confirm; until then nobody is subscribed to anything."

router = APIRouter()


@router.get("/")
@allow(public=True)
def home(here: Here, session: Reading) -> HTMLResponse:
    """The one newsletter's page; or, if there are several, all of them."""
    every = list(here.catalogue.offers().newsletters.values())
    if len(every) == 1:
        return _page(here, session, every[0])
    return here.page("newsletters", publisher=every[0].publisher if every else None, newsletters=every)


@router.get("/n/{slug}")
@allow(public=True)
def offer(slug: str, here: Here, session: Reading) -> HTMLResponse:
    """A newsletter's page, with the form."""
    return _page(here, session, here.catalogue.offers(slugs=frozenset({slug})).newsletter(slug))


@router.post("/subscribe")
@allow(body_limit=FORM_BYTES)
def subscribe(request: Request, form: Form, here: Here, origin: Origin) -> Response:
    """Take a sign-up: one inserted row, and the same 202 for everybody."""
    try:
        wanted = asked(form, here.catalogue)
    except NotAsked as refused:
        return _mend(request, form, here, refused.errors)
    with here.database.writing() as session:
        _receive(session, wanted, here, origin, page=request.headers.get("referer", ""))
    here.wakeups.wake(Queue.URGENT)
    if wants_json(request):
        return JSONResponse({"message": MESSAGE}, 202)
    first = wanted.newsletters[0]
    return here.page(
        "check_inbox",
        status=202,
        newsletter=first,
        newsletters=wanted.newsletters,
        sender=first.sender,
        confirm_within=CONFIRM_WITHIN,
        outbox=here.shows_outbox,
    )


def _receive(session: Session, wanted: SignupForm, here: Site, origin: Trace, *, page: str) -> None:
    said = {"name": wanted.name, "language": wanted.language, "timezone": wanted.timezone}
    seen = {"page": page[:500], "method": "form on the web", "ip": origin.ip, "user_agent": origin.user_agent}
    signups.receive(
        session,
        address=wanted.address,
        fold_key=addresses.fold(here.keyring, wanted.address.key),
        newsletters=[newsletter.id for newsletter in wanted.newsletters],
        wording_id=wanted.wording.id,
        form=wanted.wording.form_exhibit,
        evidence={name: value for name, value in {**said, **seen}.items() if value},
        now=here.now(),
    )


def _mend(request: Request, form: Posted, here: Site, errors: dict[str, str]) -> Response:
    """The form once more, with what was entered and what to mend; or the errors alone for a program."""
    if wants_json(request):
        return JSONResponse({"errors": errors}, 422)
    chosen = here.catalogue.offers().newsletters.get(one(form, "newsletters"))
    if chosen is None:
        return here.page(
            "refused",
            status=422,
            title="The form is not complete",
            explanation=" ".join(errors.values()),
            remedy="Open the newsletter's own page and sign up there.",
        )
    with here.database.reading() as session:
        values = {name: one(form, name)[:300] for name in ("email", "name")}
        return _page(here, session, chosen, status=422, values=values, errors=errors)


def _page(here: Site, session: Session, newsletter: Newsletter, *, status: int = 200, **filled: Any) -> HTMLResponse:
    wording = here.catalogue.offers().current(newsletter)
    return here.page(
        "signup",
        status=status,
        newsletter=newsletter,
        wording=wording,
        form=wording.form_exhibit,
        confirm_within=CONFIRM_WITHIN,
        schedule=digests.schedule(session, newsletter.id),
        latest=latest(session, newsletter),
        **{"values": {"email": "", "name": ""}, "errors": {}, **filled},
    )
