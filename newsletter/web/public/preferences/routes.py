"""GET and POST /preferences/{token}: show the page of the link's kind, and do what its pressed button says."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.subscribers import moved_subscriptions, subscribers
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.errors import LinkExpired
from newsletter.web.form_data import FormData, RequestForm, is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.negotiation import WantedLanguages
from newsletter.web.public.preferences import fresh_changes, fresh_page, letter_page, links, subscriptions
from newsletter.web.public.preferences.fresh_changes import FreshChanges
from newsletter.web.public.preferences.links import PreferencesLink
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site

router = APIRouter()


@router.get("/preferences/{token}")
def preferences_page(token: str, site: CurrentSite, session: ReadingSession, wanted: WantedLanguages) -> HTMLResponse:
    """Show the page of the link's kind."""
    return _page(site, session, links.read(site, session, token, wanted))


@router.post("/preferences/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def preferences(
    token: str, form: RequestForm, site: CurrentSite, trace: RequestTrace, wanted: WantedLanguages
) -> HTMLResponse:
    """Do what the pressed button says: mail a fresh link, pause or stop newsletters, or save the page of all.

    A POST without a button of the page changes nothing: its answer is the page again.
    """
    with site.database.writing() as session:
        link = links.read(site, session, token, wanted)
        if not is_checked(form, "link"):
            return _change(site, session, link, form, trace)
    return letter_page.mail_link(site, link)


def _change(site: Site, session: Session, link: PreferencesLink, form: FormData, trace: Trace) -> HTMLResponse:
    """Change what the link's kind allows."""
    if link.is_fresh:
        subscriber = subscribers.lock_by_id(session, link.subscriber)
    else:
        for _ in range(2):  # once more, because a move may have been stored while the first waited for the row
            subscriber = moved_subscriptions.lock_holder(session, link.subscriber, link.newsletter)
    if subscriber is None or subscriber.address is None:
        raise LinkExpired(newsletter_id=link.newsletter)
    if link.is_fresh:
        return _change_all(site, session, link, form, subscriber, trace)
    if is_checked(form, "save"):
        return letter_page.show(site, session, link, is_too_late=True)
    return letter_page.press(site, session, link, form, subscriber, trace)


def _change_all(
    site: Site, session: Session, link: PreferencesLink, form: FormData, subscriber: Subscriber, trace: Trace
) -> HTMLResponse:
    """Stop everything, or save what the page of all newsletters changes; with an error, nothing of it."""
    now = site.now()
    if is_checked(form, "all"):
        changes = FreshChanges(stopped=None)
    elif is_checked(form, "save"):
        changes = fresh_changes.read(subscriptions.every(session, link), form, now=now)
    else:
        return _page(site, session, link, status=422)
    if changes.errors:
        return fresh_page.show(site, session, link, status=422, wrong=changes, entered=form)
    stopped = fresh_changes.store(session, subscriber, changes, trace=trace, now=now)
    return fresh_page.show(site, session, link, saved=changes._replace(stopped=stopped))


def _page(site: Site, session: Session, link: PreferencesLink, *, status: int = 200) -> HTMLResponse:
    show = fresh_page.show if link.is_fresh else letter_page.show
    return show(site, session, link, status=status)
