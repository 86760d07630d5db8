"""The unsubscribe page, and the POST by which a mail program unsubscribes at once (RFC 8058)."""

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import decisions, moved_subscriptions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.subscribers import Standing
from newsletter.links import Purpose
from newsletter.queues.wakeups import Queue
from newsletter.web.form_data import is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.one_click import ONE_CLICK, UnsubscriptionForm
from newsletter.web.public.letter_links import left_page
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


@router.get("/u/{token}")
def unsubscribe_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show one button, without login or reason; if the reader has already left, say that it is done."""
    return _button_page(site, session, *site.links.read(token, Purpose.UNSUBSCRIBE))


@router.post("/u/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def unsubscribe(
    token: str,
    form: UnsubscriptionForm,
    site: CurrentSite,
    session: WritingSession,
    trace: RequestTrace,
    afterwards: BackgroundTasks,
) -> Response:
    """Unsubscribe at once. A mail program posts List-Unsubscribe=One-Click and must not be redirected (RFC 8058).

    The page after that posts a reason (`tell`) or asks for a way back (`again`) to the same link. A POST without any of
    these buttons changes nothing: its answer is the page with the button. A reader who has moved to another
    subscriber's address leaves there.
    """
    one_click = form == ONE_CLICK
    pressed = is_checked(form, "unsubscribe")
    everything = pressed and is_checked(form, "all")
    subscriber_id, newsletter_id = site.links.read(token, Purpose.UNSUBSCRIBE)
    if not (one_click or pressed):
        about = left_page.read(session, subscriber_id, newsletter_id)
        if left_page.has_left(about) and is_checked(form, "tell"):
            return left_page.tell(site, session, about, form)
        if left_page.may_return(about) and is_checked(form, "again"):
            afterwards.add_task(site.wakeups.wake, Queue.URGENT)  # once this transaction is committed
            return left_page.ask_again(site, session, about, form, trace)
        return _button_page(site, session, subscriber_id, newsletter_id, status=422)
    if reader := moved_subscriptions.lock_holder(session, subscriber_id, newsletter_id):
        how = EvidenceTerm.ONE_CLICK if one_click else EvidenceTerm.BUTTON_BEHIND_LINK
        ended = None if everything else [newsletter_id]
        decisions.withdraw(session, reader, newsletters=ended, how=how, trace=trace, now=site.now())
    if one_click:
        return PlainTextResponse("You are unsubscribed.\n")
    about = left_page.read(session, subscriber_id, newsletter_id)
    return left_page.show(site, session, about, everything=everything)


def _button_page(
    site: Site, session: Session, subscriber_id: int, newsletter_id: int, *, status: int = 200
) -> HTMLResponse:
    about = left_page.read(session, subscriber_id, newsletter_id)
    if not about.address or about.standing in (None, Standing.LEFT):
        return left_page.show(site, session, about)
    page = {"tag": about.reading_language, "newsletter": about, "address": addresses.mask(about.address)}
    return site.page("unsubscribe", status=status, **page)
