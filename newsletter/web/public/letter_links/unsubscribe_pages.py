"""The unsubscribe page, and the POST by which a mail program unsubscribes at once (RFC 8058)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy import Row
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


@router.get("/u/{token}")
def unsubscribe_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show one button, without login or reason; if the reader has already left, say that it is done."""
    link = site.links.read(token, Purpose.UNSUBSCRIBE)
    return _button_page(site, session, left_page.read(session, *link))


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
    """Unsubscribe at once, for a mail program or by the page's button; or take what the page after that posts.

    The page after that posts a reason (`tell`) or asks for a way back (`again`). A POST without any of these buttons
    changes nothing: its answer is the page with the button.
    """
    link = site.links.read(token, Purpose.UNSUBSCRIBE)
    if form == ONE_CLICK:
        return _leave_by_mail_program(site, session, link, trace)
    if is_checked(form, "unsubscribe"):
        return _leave_by_button(site, session, link, trace, everything=is_checked(form, "all"))
    about = left_page.read(session, *link)
    if is_checked(form, "tell") and left_page.has_left(about):
        return left_page.tell(site, session, about, form)
    if is_checked(form, "again") and left_page.may_return(about):
        afterwards.add_task(site.wakeups.wake, Queue.URGENT)  # once this transaction is committed
        return left_page.ask_again(site, session, about, form, trace)
    return _button_page(site, session, about, status=422)


def _leave_by_mail_program(site: Site, session: Session, link: Sequence[int], trace: Trace) -> Response:
    """Leave the newsletter. Mail programs want status 200 and no redirect (RFC 8058 section 3.1)."""
    subscriber_id, newsletter_id = link
    leaving = Leaving([newsletter_id], EvidenceTerm.ONE_CLICK, trace, site.now())
    reader = moved_subscriptions.lock_holder(session, subscriber_id, newsletter_id)
    if not _leave(session, reader, leaving):
        _leave_where_moved(session, link, reader, leaving)
    return PlainTextResponse("You are unsubscribed.\n")


def _leave_by_button(
    site: Site, session: Session, link: Sequence[int], trace: Trace, *, everything: bool
) -> HTMLResponse:
    """Leave the newsletter or everything, and show the page after leaving."""
    subscriber_id, newsletter_id = link
    ended = None if everything else [newsletter_id]
    leaving = Leaving(ended, EvidenceTerm.BUTTON_BEHIND_LINK, trace, site.now())
    reader = moved_subscriptions.lock_holder(session, subscriber_id, newsletter_id)
    _leave(session, reader, leaving)
    about = _leave_where_moved(session, link, reader, leaving)
    return left_page.show(site, session, about, everything=everything)


def _leave(session: Session, reader: Subscriber | None, leaving: Leaving) -> list[int]:
    return decisions.withdraw(session, reader, **leaving._asdict()) if reader else []


def _leave_where_moved(session: Session, link: Sequence[int], reader: Subscriber | None, leaving: Leaving) -> Row[Any]:
    """Leave at another subscriber's address, too, if a move there was stored while this waited for the reader's row.

    Return what `left_page.read` tells after it.
    """
    about = left_page.read(session, *link)
    if reader is None or about.subscriber_id in (None, reader.id):
        return about
    _leave(session, subscribers.lock_by_id(session, about.subscriber_id), leaving)
    return left_page.read(session, *link)


def _button_page(site: Site, session: Session, about: Row[Any], *, status: int = 200) -> HTMLResponse:
    if not about.address or about.standing in (None, Standing.LEFT):
        return left_page.show(site, session, about)
    page = {"tag": about.reading_language, "newsletter": about, "address": addresses.mask(about.address)}
    return site.page("unsubscribe", status=status, **page)
