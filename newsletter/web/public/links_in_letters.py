"""What the links in letters open: confirm, leave, preferences, never. GET shows a button; only POST acts."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import decisions, subscribers
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.consent.wordings import Wording
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired, Malformed
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter, every
from newsletter.web.form_data import Form, one, ticked
from newsletter.web.guards import FORM_BYTES, allow
from newsletter.web.site import Here, Origin, Reading, Site, Writing

router = APIRouter()


@router.get("/confirm/{token}")
def confirm_page(token: str, here: Here, session: Reading) -> HTMLResponse:
    """What was asked for, in the stored words, and the button."""
    signup = decisions.find_signup(session, here.links.read(token, Purpose.CONFIRM), lock=False)
    if not decisions.awaits_confirmation(session, signup, now=here.now()):
        return _about(here, session, signup, "already_confirmed")
    return _about(here, session, signup, "confirm", wording=session.get_one(Wording, signup.wording_id))


@router.post("/confirm/{token}")
@allow(body_limit=FORM_BYTES)
def confirm(token: str, here: Here, session: Writing, origin: Origin) -> HTMLResponse:
    """The inbox's owner agrees; pressing again is no error."""
    signup = decisions.find_signup(session, here.links.read(token, Purpose.CONFIRM), lock=True)
    evidence = {"method": "button on the page that the letter's link opens"}
    done = decisions.confirm(session, signup, evidence=evidence, trace=origin, now=here.now())
    return _about(here, session, signup, "confirmed" if done else "already_confirmed")


@router.get("/never/{token}")
def never_page(token: str, here: Here, session: Reading) -> HTMLResponse:
    """What "never write to this address" means, and the button."""
    signup = decisions.find_signup(session, here.links.read(token, Purpose.NEVER), lock=False)
    return _about(here, session, signup, "never_done" if signup.state == SignupState.REFUSED else "never")


@router.post("/never/{token}")
@allow(body_limit=FORM_BYTES)
def never(token: str, here: Here, session: Writing, origin: Origin) -> HTMLResponse:
    """Leave this address alone from now on."""
    signup = decisions.find_signup(session, here.links.read(token, Purpose.NEVER), lock=True)
    decisions.refuse(session, here.keyring, signup, trace=origin, now=here.now())
    return _about(here, session, signup, "never_done")


@router.get("/u/{token}")
def unsubscribe_page(token: str, here: Here, session: Reading) -> HTMLResponse:
    """One button, no login, no reason; an old link says that it is done."""
    subscriber, newsletter = _reader(here, session, token)
    standing = subscribers.subscriptions(session, subscriber.id) if subscriber else {}
    mine = newsletter and standing.get(newsletter.id)
    if not subscriber or not subscriber.address or not mine or mine.standing == Standing.LEFT:
        return here.page("unsubscribed", newsletter=newsletter, everything=False)
    return here.page("unsubscribe", newsletter=newsletter, address=addresses.masked(subscriber.address))


@router.post("/u/{token}")
@allow(body_limit=FORM_BYTES)
def unsubscribe(token: str, form: Form, here: Here, session: Writing, origin: Origin) -> Response:
    """Leave at once. A mail program's button posts List-Unsubscribe=One-Click and wants no redirect (RFC 8058)."""
    one_click = one(form, "List-Unsubscribe") == "One-Click"
    everything = ticked(form, "all") and not one_click
    if not (one_click or ticked(form, "unsubscribe") or everything):
        raise Malformed("List-Unsubscribe", "Post List-Unsubscribe=One-Click, or press the button on the page.")
    subscriber, newsletter = _reader(here, session, token, lock=True)
    if subscriber and newsletter:
        how = "one-click of a mail program" if one_click else "button on the page that the letter's link opens"
        wanted = list(subscribers.subscriptions(session, subscriber.id)) if everything else [newsletter.id]
        decisions.withdraw(session, subscriber, newsletters=wanted, how=how, trace=origin, now=here.now())
    if one_click:
        return PlainTextResponse("You are unsubscribed.\n")
    return here.page("unsubscribed", newsletter=newsletter, everything=everything)


@router.get("/preferences/{token}")
def preferences_page(token: str, here: Here, session: Reading) -> HTMLResponse:
    """What this address gets. The link may only reduce it: letters get forwarded."""
    return _preferences(here, session, _subscriber(here, session, token), stopped=[], saved=False)


@router.post("/preferences/{token}")
@allow(body_limit=FORM_BYTES)
def preferences(token: str, form: Form, here: Here, session: Writing, origin: Origin) -> HTMLResponse:
    """Stop what is no longer ticked, or everything."""
    if not (ticked(form, "save") or ticked(form, "all")):
        raise Malformed("save", "Press one of the buttons on the page.")
    subscriber = _subscriber(here, session, token, lock=True)
    standing = subscribers.subscriptions(session, subscriber.id)
    keep = [each.id for each in every(session) if each.slug in form.get("newsletters", ())]
    # What waits to be confirmed was not on the form, so leaving it out there says nothing about it.
    shown = [number for number, row in standing.items() if row.standing == Standing.SUBSCRIBED]
    dropped = list(standing) if ticked(form, "all") else [number for number in shown if number not in keep]
    how = "preferences page"
    stopped = decisions.withdraw(session, subscriber, newsletters=dropped, how=how, trace=origin, now=here.now())
    names = session.scalars(select(Newsletter.name).where(Newsletter.id.in_(stopped)).order_by(Newsletter.id)).all()
    return _preferences(here, session, subscriber, stopped=list(names), saved=True)


def _about(here: Site, session: Session, signup: Signup, page: str, **context: Any) -> HTMLResponse:
    found = session.scalars(
        select(Newsletter).where(Newsletter.id.in_(signup.newsletters)).order_by(Newsletter.id)
    ).all()
    schedules = digests.schedules(session, signup.newsletters)
    rows = [{"slug": each.slug, "name": each.name, "schedule": schedules.get(each.id)} for each in found]
    address = addresses.masked(signup.address)
    return here.page(page, newsletter=found[0], newsletters=rows, address=address, **context)


def _reader(
    here: Site, session: Session, token: str, *, lock: bool = False
) -> tuple[Subscriber | None, Newsletter | None]:
    subscriber, newsletter = here.links.read(token, Purpose.UNSUBSCRIBE)
    found = subscribers.lock_by_id(session, subscriber) if lock else session.get(Subscriber, subscriber)
    return found, session.get(Newsletter, newsletter)


def _subscriber(here: Site, session: Session, token: str, *, lock: bool = False) -> Subscriber:
    (number,) = here.links.read(token, Purpose.PREFERENCES)
    subscriber = subscribers.lock_by_id(session, number) if lock else session.get(Subscriber, number)
    if subscriber is None or subscriber.address is None:
        raise LinkExpired
    return subscriber


def _preferences(
    here: Site, session: Session, subscriber: Subscriber, *, stopped: list[str], saved: bool
) -> HTMLResponse:
    standing = subscribers.subscriptions(session, subscriber.id)
    got = {number: row for number, row in standing.items() if row.standing == Standing.SUBSCRIBED}
    offered = every(session)
    schedules = digests.schedules(session, got)
    return here.page(
        "preferences",
        newsletter=next((newsletter for newsletter in offered if newsletter.id in got), None),
        publisher=offered[0].publisher if offered else None,
        address=addresses.masked(subscriber.address or ""),
        subscriptions=[
            {
                "slug": each.slug,
                "name": each.name,
                "since": got[each.id].since,
                "zone": each.zone,
                "schedule": schedules.get(each.id),
            }
            for each in offered
            if each.id in got
        ],
        others=[each for each in offered if each.id not in got],
        stopped=stopped,
        saved=saved,
    )
