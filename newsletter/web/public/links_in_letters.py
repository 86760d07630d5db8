"""The pages behind the links in letters: confirm, unsubscribe, preferences, never. GET shows a button; POST acts."""

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
from newsletter.web.form_data import RequestForm, first_value, is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


@router.get("/confirm/{token}")
def confirm_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the newsletters, the stored consent wording and the button."""
    signup = decisions.find_signup(session, site.links.read(token, Purpose.CONFIRM), lock=False)
    if not decisions.awaits_confirmation(session, signup, now=site.now()):
        return _about(site, session, signup, "already_confirmed")
    return _about(site, session, signup, "confirm", wording=session.get_one(Wording, signup.wording_id))


@router.post("/confirm/{token}")
def confirm(token: str, site: CurrentSite, session: WritingSession, trace: RequestTrace) -> HTMLResponse:
    """Record the consent of the address's owner. Confirming again is no error."""
    signup = decisions.find_signup(session, site.links.read(token, Purpose.CONFIRM), lock=True)
    evidence = {"method": "button on the page that the letter's link opens"}
    done = decisions.confirm(session, signup, evidence=evidence, trace=trace, now=site.now())
    return _about(site, session, signup, "confirmed" if done else "already_confirmed")


@router.get("/never/{token}")
def never_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Explain "never write to this address", and show the button."""
    signup = decisions.find_signup(session, site.links.read(token, Purpose.NEVER), lock=False)
    return _about(site, session, signup, "never_done" if signup.state == SignupState.REFUSED else "never")


@router.post("/never/{token}")
def never(token: str, site: CurrentSite, session: WritingSession, trace: RequestTrace) -> HTMLResponse:
    """Suppress the address for good."""
    signup = decisions.find_signup(session, site.links.read(token, Purpose.NEVER), lock=True)
    decisions.refuse(session, site.keyring, signup, trace=trace, now=site.now())
    return _about(site, session, signup, "never_done")


@router.get("/u/{token}")
def unsubscribe_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show one button, without login or reason; if the reader has already left, say that it is done."""
    subscriber, newsletter = _subscriber_and_newsletter(site, session, token)
    subscriptions = subscribers.subscriptions(session, subscriber.id) if subscriber else {}
    subscription = newsletter and subscriptions.get(newsletter.id)
    if not subscriber or not subscriber.address or not subscription or subscription.standing == Standing.LEFT:
        return site.page("unsubscribed", newsletter=newsletter, everything=False)
    return site.page("unsubscribe", newsletter=newsletter, address=addresses.mask(subscriber.address))


@router.post("/u/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def unsubscribe(
    token: str, form: RequestForm, site: CurrentSite, session: WritingSession, trace: RequestTrace
) -> Response:
    """Unsubscribe at once. A mail program posts List-Unsubscribe=One-Click and must not be redirected (RFC 8058)."""
    one_click = first_value(form, "List-Unsubscribe") == "One-Click"
    everything = is_checked(form, "all") and not one_click
    if not (one_click or is_checked(form, "unsubscribe") or everything):
        raise Malformed("List-Unsubscribe", "Post List-Unsubscribe=One-Click, or use the button on the page.")
    subscriber, newsletter = _subscriber_and_newsletter(site, session, token, lock=True)
    if subscriber and newsletter:
        how = "one-click of a mail program" if one_click else "button on the page that the letter's link opens"
        ended = list(subscribers.subscriptions(session, subscriber.id)) if everything else [newsletter.id]
        decisions.withdraw(session, subscriber, newsletters=ended, how=how, trace=trace, now=site.now())
    if one_click:
        return PlainTextResponse("You are unsubscribed.\n")
    return site.page("unsubscribed", newsletter=newsletter, everything=everything)


@router.get("/preferences/{token}")
def preferences_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the address's newsletters. The link may only reduce them, because letters get forwarded."""
    return _preferences(site, session, _subscriber(site, session, token), stopped=[], saved=False)


@router.post("/preferences/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def preferences(
    token: str, form: RequestForm, site: CurrentSite, session: WritingSession, trace: RequestTrace
) -> HTMLResponse:
    """Stop the newsletters that are no longer checked, or all of them."""
    if not (is_checked(form, "save") or is_checked(form, "all")):
        raise Malformed("save", "Use one of the buttons on the page.")
    subscriber = _subscriber(site, session, token, lock=True)
    subscriptions = subscribers.subscriptions(session, subscriber.id)
    keep = [each.id for each in every(session) if each.slug in form.get("newsletters", ())]
    # The form does not list subscriptions that wait for confirmation, so their absence from it means nothing.
    shown = [number for number, row in subscriptions.items() if row.standing == Standing.SUBSCRIBED]
    dropped = list(subscriptions) if is_checked(form, "all") else [number for number in shown if number not in keep]
    how = "preferences page"
    stopped = decisions.withdraw(session, subscriber, newsletters=dropped, how=how, trace=trace, now=site.now())
    names = session.scalars(select(Newsletter.name).where(Newsletter.id.in_(stopped)).order_by(Newsletter.id)).all()
    return _preferences(site, session, subscriber, stopped=list(names), saved=True)


def _about(site: Site, session: Session, signup: Signup, page: str, **context: Any) -> HTMLResponse:
    named = session.scalars(
        select(Newsletter).where(Newsletter.id.in_(signup.newsletters)).order_by(Newsletter.id)
    ).all()
    schedules = digests.schedules(session, signup.newsletters)
    rows = [{"slug": each.slug, "name": each.name, "schedule": schedules.get(each.id)} for each in named]
    address = addresses.mask(signup.address)
    return site.page(page, newsletter=named[0], newsletters=rows, address=address, **context)


def _subscriber_and_newsletter(
    site: Site, session: Session, token: str, *, lock: bool = False
) -> tuple[Subscriber | None, Newsletter | None]:
    subscriber_id, newsletter_id = site.links.read(token, Purpose.UNSUBSCRIBE)
    return _find(session, subscriber_id, lock=lock), session.get(Newsletter, newsletter_id)


def _subscriber(site: Site, session: Session, token: str, *, lock: bool = False) -> Subscriber:
    (subscriber_id,) = site.links.read(token, Purpose.PREFERENCES)
    subscriber = _find(session, subscriber_id, lock=lock)
    if subscriber is None or subscriber.address is None:
        raise LinkExpired
    return subscriber


def _find(session: Session, subscriber_id: int, *, lock: bool) -> Subscriber | None:
    return subscribers.lock_by_id(session, subscriber_id) if lock else session.get(Subscriber, subscriber_id)


def _preferences(
    site: Site, session: Session, subscriber: Subscriber, *, stopped: list[str], saved: bool
) -> HTMLResponse:
    subscriptions = subscribers.subscriptions(session, subscriber.id)
    subscribed = {number: row for number, row in subscriptions.items() if row.standing == Standing.SUBSCRIBED}
    offered = every(session)
    schedules = digests.schedules(session, subscribed)
    return site.page(
        "preferences",
        newsletter=next((newsletter for newsletter in offered if newsletter.id in subscribed), None),
        publisher=offered[0].publisher if offered else None,
        address=addresses.mask(subscriber.address or ""),
        subscriptions=[
            {
                "slug": each.slug,
                "name": each.name,
                "since": subscribed[each.id].since,
                "zone": each.zone,
                "schedule": schedules.get(each.id),
            }
            for each in offered
            if each.id in subscribed
        ],
        others=[each for each in offered if each.id not in subscribed],
        stopped=stopped,
        saved=saved,
    )
