"""The sign-up pages, and POST /subscribe, whose answer is the same for every address."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import signups
from newsletter.consent.ledger import Trace
from newsletter.consent.limits import networks
from newsletter.consent.wording_publication import CONFIRM_WITHIN
from newsletter.content.digests import digests
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from newsletter.web.failures import wants_json
from newsletter.web.form_data import FormData, first_value, parse_body
from newsletter.web.guards import FORM_BODY_BYTES, refuse_by_length, route_rules
from newsletter.web.public.archive import latest
from newsletter.web.public.offered_newsletters import OfferedNames, OfferedNewsletters
from newsletter.web.public.signup_form import InvalidForm, SignupForm, named_in, parse_signup_form
from newsletter.web.site import CurrentSite, ReadingSession, Site, request_trace

MESSAGE = "We are sending a letter to this address. Open it and confirm; until then the address is not subscribed."

router = APIRouter()


@router.get("/")
@route_rules(public=True)
def home(site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the page of the only newsletter, or a list if there are several."""
    every = list(site.offered.get().newsletters.values())
    if len(every) == 1:
        return _page(site, session, every[0])
    return site.page("newsletters", publisher=every[0].publisher if every else None, newsletters=every)


@router.get("/n/{slug}")
@route_rules(public=True)
def offer(slug: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show a newsletter's page with the sign-up form."""
    return _page(site, session, site.offered.get(OfferedNames((slug,))).newsletter(slug))


@route_rules(body_limit=FORM_BODY_BYTES)
async def subscribe(request: Request) -> Response:
    """Accept a sign-up: insert one row, and answer 202 with the same text for every address.

    It is a `PlainRoute`: calling dependencies would be a fifth of a sign-up's costs.
    """
    await refuse_by_length(request)
    site, form = request.app.state.site, await parse_body(request)
    trace = await request_trace(request, site)
    names = named_in(form)
    offered = site.offered.fresh(names)
    if offered is None:  # the rows are almost always in memory: only reading them again takes a thread
        offered = await run_in_threadpool(site.offered.get, names)
    try:
        signup = parse_signup_form(form, names, offered)
    except InvalidForm as invalid:
        return await run_in_threadpool(_invalid, request, form, site, invalid.errors)
    await site.store_signup(_row(signup, site, trace, page=request.headers.get("referer", "")))
    site.wakeups.wake(Queue.URGENT)
    if wants_json(request):
        return JSONResponse({"message": MESSAGE}, 202)
    return HTMLResponse(_check_inbox(site, offered, signup.newsletters), 202)


def _row(signup: SignupForm, site: Site, trace: Trace, *, page: str) -> dict[str, Any]:
    entered = {"name": signup.name, "language": signup.language, "timezone": signup.timezone}
    observed = {"page": page[:500], "method": "form on the web", "ip": trace.ip, "user_agent": trace.user_agent}
    return signups.values(
        address=signup.address,
        fold_key=addresses.fold(site.keyring, signup.address.key),
        network_key=networks.keys(site.keyring, trace.ip).network or "",
        newsletters=[newsletter.id for newsletter in signup.newsletters],
        wording_id=signup.wording.id,
        form=signup.wording.form_exhibit,
        evidence={name: value for name, value in {**entered, **observed}.items() if value},
        now=site.now(),
    )


def _check_inbox(site: Site, offered: OfferedNewsletters, chosen: Sequence[Newsletter]) -> bytes:
    """Return the page, which is the same for everybody: it is rendered once for each reading of the newsletters."""
    key = tuple(newsletter.id for newsletter in chosen)
    if key not in offered.answers:
        page = site.page(
            "check_inbox",
            newsletter=chosen[0],
            newsletters=chosen,
            sender=chosen[0].sender,
            confirm_within=CONFIRM_WITHIN,
            outbox=site.shows_outbox,
        )
        offered.answers[key] = bytes(page.body)
    return offered.answers[key]


def _invalid(request: Request, form: FormData, site: Site, errors: dict[str, str]) -> Response:
    """Answer 422 with the form, the entered values and the errors; to a program with the errors alone."""
    if wants_json(request):
        return JSONResponse({"errors": errors}, 422)
    chosen = site.offered.get().newsletters.get(first_value(form, "newsletters"))
    if chosen is None:
        return site.page(
            "refused",
            status=422,
            title="The form is incomplete",
            explanation=" ".join(errors.values()),
            remedy="Please open the newsletter's page and sign up there.",
        )
    with site.database.reading() as session:
        values = {name: first_value(form, name)[:300] for name in ("email", "name")}
        return _page(site, session, chosen, status=422, values=values, errors=errors)


def _page(site: Site, session: Session, newsletter: Newsletter, *, status: int = 200, **filled: Any) -> HTMLResponse:
    wording = site.offered.get().current(newsletter)
    return site.page(
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
