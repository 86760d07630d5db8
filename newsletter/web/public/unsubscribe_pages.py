"""The unsubscribe page, and the POST by which a mail program unsubscribes at once (RFC 8058)."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import decisions, subscribers
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.errors import LinkUnreadable
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter
from newsletter.web.form_data import is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.one_click import ONE_CLICK, UnsubscriptionForm
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


@router.get("/u/{token}")
def unsubscribe_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show one button, without login or reason; if the reader has already left, say that it is done."""
    return _button_page(site, session, *_subscriber_and_newsletter(site, session, token))


@router.post("/u/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def unsubscribe(
    token: str, form: UnsubscriptionForm, site: CurrentSite, session: WritingSession, trace: RequestTrace
) -> Response:
    """Unsubscribe at once. A mail program posts List-Unsubscribe=One-Click and must not be redirected (RFC 8058).

    A POST without that pair and without the button's field changes nothing: its answer is the page with the button.
    """
    one_click = form == ONE_CLICK
    everything = is_checked(form, "all") and not one_click
    subscriber, newsletter = _subscriber_and_newsletter(site, session, token, lock=True)
    if not (one_click or is_checked(form, "unsubscribe") or everything):
        return _button_page(site, session, subscriber, newsletter, status=422)
    if subscriber:
        how = "one-click of a mail program" if one_click else "button on the page that the letter's link opens"
        ended = list(subscribers.subscriptions(session, subscriber.id)) if everything else [newsletter.id]
        decisions.withdraw(session, subscriber, newsletters=ended, how=how, trace=trace, now=site.now())
    if one_click:
        return PlainTextResponse("You are unsubscribed.\n")
    return site.page("unsubscribed", newsletter=newsletter, everything=everything)


def _button_page(
    site: Site, session: Session, subscriber: Subscriber | None, newsletter: Newsletter, *, status: int = 200
) -> HTMLResponse:
    subscriptions = subscribers.subscriptions(session, subscriber.id) if subscriber else {}
    subscription = subscriptions.get(newsletter.id)
    if not subscriber or not subscriber.address or not subscription or subscription.standing == Standing.LEFT:
        return site.page("unsubscribed", newsletter=newsletter, everything=False)
    return site.page("unsubscribe", status=status, newsletter=newsletter, address=addresses.mask(subscriber.address))


def _subscriber_and_newsletter(
    site: Site, session: Session, token: str, *, lock: bool = False
) -> tuple[Subscriber | None, Newsletter]:
    """Return the reader, or None once their row is deleted. Raises LinkUnreadable without the newsletter."""
    subscriber_id, newsletter_id = site.links.read(token, Purpose.UNSUBSCRIBE)
    newsletter = session.get(Newsletter, newsletter_id)
    if newsletter is None:  # no newsletter is ever deleted, so no letter held this link
        raise LinkUnreadable
    find = subscribers.lock_by_id if lock else subscribers.by_id
    return find(session, subscriber_id), newsletter
