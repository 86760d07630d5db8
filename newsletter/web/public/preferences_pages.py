"""The preferences page: which newsletters an address gets. Its link may only reduce them."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import decisions, subscribers
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired, Malformed
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter, every
from newsletter.web.form_data import RequestForm, is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


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


def _subscriber(site: Site, session: Session, token: str, *, lock: bool = False) -> Subscriber:
    (subscriber_id,) = site.links.read(token, Purpose.PREFERENCES)
    find = subscribers.lock_by_id if lock else subscribers.by_id
    subscriber = find(session, subscriber_id)
    if subscriber is None or subscriber.address is None:
        raise LinkExpired
    return subscriber


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
