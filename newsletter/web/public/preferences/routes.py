"""GET and POST /preferences/{token}: show the page of the link's kind, and do what its pressed button says."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter.consent import decisions, subscribers
from newsletter.errors import LinkExpired
from newsletter.web.form_data import FormData, RequestForm, is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.negotiation import WantedLanguages
from newsletter.web.public.preferences import fresh_page, languages, letter_page, links, subscriptions
from newsletter.web.public.preferences.fresh_page import SavedPreferences
from newsletter.web.public.preferences.links import PreferencesLink
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site

router = APIRouter()


@router.get("/preferences/{token}")
def preferences_page(token: str, site: CurrentSite, session: ReadingSession, wanted: WantedLanguages) -> HTMLResponse:
    """Show the page of the link's kind."""
    return _page(site, session, links.read(site, token, wanted))


@router.post("/preferences/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def preferences(
    token: str, form: RequestForm, site: CurrentSite, trace: RequestTrace, wanted: WantedLanguages
) -> HTMLResponse:
    """Do what the pressed button says: mail a fresh link, or stop newsletters.

    A POST without a button of the page changes nothing: its answer is the page again.
    """
    link = links.read(site, token, wanted)
    if is_checked(form, "link"):
        return letter_page.mail_link(site, link)
    with site.database.writing() as session:
        subscriber = subscribers.lock_by_id(session, link.subscriber)
        if subscriber is None or subscriber.address is None:
            raise LinkExpired(newsletter_id=link.newsletter)
        if is_checked(form, "save") and not link.is_fresh:
            return letter_page.show(site, session, link, is_too_late=True)
        if not _pressed(link, form):
            return _page(site, session, link, status=422)
        subscribed = subscriptions.present(session, link) if link.is_fresh else []
        dropped = _dropped(link, subscribed, form)
        how = "preferences page"
        stopped = decisions.withdraw(session, subscriber, newsletters=dropped, how=how, trace=trace, now=site.now())
        if link.is_fresh:
            kept = [row for row in subscribed if row.id not in stopped]
            translated = languages.change(session, link.subscriber, kept, form)
            saved = SavedPreferences(stopped, [row.id for row in translated])
            return fresh_page.show(site, session, link, saved=saved)
        return letter_page.left(site, session, link, everything=dropped is None)


def _page(site: Site, session: Session, link: PreferencesLink, *, status: int = 200) -> HTMLResponse:
    show = fresh_page.show if link.is_fresh else letter_page.show
    return show(site, session, link, status=status)


def _pressed(link: PreferencesLink, form: FormData) -> bool:
    """Whether a button that stops newsletters was pressed, one that the link's page has."""
    own = "save" if link.is_fresh else "leave" if link.newsletter is not None else "all"
    return is_checked(form, "all") or is_checked(form, own)


def _dropped(link: PreferencesLink, subscribed: Sequence[Row[Any]], form: FormData) -> list[int] | None:
    """Return the newsletters that the pressed button stops; None: all."""
    if is_checked(form, "all"):
        return None
    if link.newsletter is not None:
        return [link.newsletter]
    kept = form.get("newsletters", ())
    # The form does not list subscriptions that wait for confirmation, so their absence from it means nothing.
    return [row.id for row in subscribed if row.slug not in kept]
