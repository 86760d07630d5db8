"""The unsubscribe page, and the POST by which a mail program unsubscribes at once (RFC 8058)."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import decisions, subscribers
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
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
    return _button_page(site, _read(session, *site.links.read(token, Purpose.UNSUBSCRIBE)))


@router.post("/u/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def unsubscribe(
    token: str, form: UnsubscriptionForm, site: CurrentSite, session: WritingSession, trace: RequestTrace
) -> Response:
    """Unsubscribe at once. A mail program posts List-Unsubscribe=One-Click and must not be redirected (RFC 8058).

    A POST without that pair and without the button's field changes nothing: its answer is the page with the button.
    """
    one_click = form == ONE_CLICK
    pressed = is_checked(form, "unsubscribe")
    everything = pressed and is_checked(form, "all")
    subscriber_id, newsletter_id = site.links.read(token, Purpose.UNSUBSCRIBE)
    if not (one_click or pressed):
        return _button_page(site, _read(session, subscriber_id, newsletter_id), status=422)
    stopped: Sequence[int] = ()
    if subscriber := subscribers.lock_by_id(session, subscriber_id):
        how = "one-click of a mail program" if one_click else "button on the page that the letter's link opens"
        ended = None if everything else [newsletter_id]
        stopped = decisions.withdraw(session, subscriber, newsletters=ended, how=how, trace=trace, now=site.now())
    done = PlainTextResponse("You are unsubscribed.\n") if one_click else None
    if done and stopped:
        return done
    newsletter = _read(session, subscriber_id, newsletter_id)
    return done or _page(site, "unsubscribed", newsletter, everything=everything)


def _button_page(site: Site, about: Any, *, status: int = 200) -> HTMLResponse:
    if not about.address or about.standing in (None, Standing.LEFT):
        return _page(site, "unsubscribed", about, everything=False)
    return _page(site, "unsubscribe", about, address=addresses.mask(about.address), status=status)


def _page(site: Site, name: str, about: Any, **context: Any) -> HTMLResponse:
    return site.page(name, tag=about.reading_language, newsletter=about, **context)


def _read(session: Session, subscriber_id: int, newsletter_id: int) -> Any:
    """Return a newsletter with the address, standing and language of its reader, as far as they are known.

    Raises LinkUnreadable without the newsletter: none is ever deleted, so no letter held this link.
    """
    columns = ("slug", "name", "publisher", "postal_address", "brand", "language", "other_languages", "site_url")
    about = (
        select(*(getattr(Newsletter, column) for column in columns))
        .add_columns(Subscriber.address, Subscription.standing, subscribers.reading_language())
        .select_from(Newsletter)
        .outerjoin(Subscriber, Subscriber.id == subscriber_id)
        .outerjoin(
            Subscription,
            and_(Subscription.subscriber_id == Subscriber.id, Subscription.newsletter_id == Newsletter.id),
        )
    )
    found = session.execute(about.where(Newsletter.id == newsletter_id)).one_or_none()
    if found is None:
        raise LinkUnreadable
    return found
