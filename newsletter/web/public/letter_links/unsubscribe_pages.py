"""The unsubscribe page, and the POST by which a mail program unsubscribes at once (RFC 8058)."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.subscribers import moved_subscriptions, subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.links import Purpose
from newsletter.queues.wakeups import Queue
from newsletter.web.form_data import is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.one_click import ONE_CLICK, UnsubscriptionForm
from newsletter.web.public.letter_links import left_page
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


class Leaving(NamedTuple):
    """What a press ends, and how it came; the arguments of `decisions.withdraw`."""

    newsletters: Sequence[int] | None
    how: EvidenceTerm
    trace: Trace
    now: datetime


def _leave(session: Session, reader: Subscriber | None, leaving: Leaving) -> list[int]:
    return decisions.withdraw(session, reader, **leaving._asdict()) if reader else []


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
    how = EvidenceTerm.ONE_CLICK if one_click else EvidenceTerm.BUTTON_BEHIND_LINK
    leaving = Leaving(newsletters=None if everything else [newsletter_id], how=how, trace=trace, now=site.now())
    reader = moved_subscriptions.lock_holder(session, subscriber_id, newsletter_id)
    stopped = _leave(session, reader, leaving)
    done = PlainTextResponse("You are unsubscribed.\n") if one_click else None
    if done and stopped:
        return done
    about = left_page.read(session, subscriber_id, newsletter_id)
    if reader and about.subscriber_id not in (None, reader.id):  # a move was stored while this waited for the row
        _leave(session, subscribers.lock_by_id(session, about.subscriber_id), leaving)
        about = left_page.read(session, subscriber_id, newsletter_id)
    return done or left_page.show(site, session, about, everything=everything)


def _button_page(
    site: Site, session: Session, subscriber_id: int, newsletter_id: int, *, status: int = 200
) -> HTMLResponse:
    about = left_page.read(session, subscriber_id, newsletter_id)
    if not about.address or about.standing in (None, Standing.LEFT):
        return left_page.show(site, session, about)
    page = {"tag": about.reading_language, "newsletter": about, "address": addresses.mask(about.address)}
    return site.page("unsubscribe", status=status, **page)
