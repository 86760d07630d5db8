"""The pages behind the links of a confirmation letter: confirm, and "never write to this address".

GET shows a button; POST acts.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups import confirmation_links, renewals
from newsletter.consent.signups.confirmation_links import AskedNewsletter, ConfirmationLink, LinkUse
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.wordings import rendered_forms
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired
from newsletter.links import Purpose
from newsletter.mail.mailings import welcome_letters
from newsletter.queues.wakeups import Queue
from newsletter.web.form_data import RequestForm, is_checked
from newsletter.web.public.forms import thank_you_pages
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


@router.get("/confirm/{token}")
def confirm_page(token: str, request: Request, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the newsletters, the stored consent wording and the button."""
    link = confirmation_links.find(session, site.links.read(token, Purpose.CONFIRM))
    return _confirm_page(request, site, session, link)


@router.post("/confirm/{token}")
def confirm(
    token: str,
    request: Request,
    form: RequestForm,
    site: CurrentSite,
    session: WritingSession,
    trace: RequestTrace,
    afterwards: BackgroundTasks,
) -> Response:
    """Record the consent of the address's owner, and owe them a welcome. Confirming again is no error.

    A POST without the button's field, such as a scanner's, changes nothing: its answer is the page with the button.
    """
    link = confirmation_links.find(session, site.links.read(token, Purpose.CONFIRM), lock=True)
    if is_checked(form, "again"):
        return _renew(request, site, session, link, trace, afterwards)
    if not is_checked(form, "confirm"):
        return _confirm_page(request, site, session, link, status=422)
    evidence = {EvidenceField.METHOD: EvidenceTerm.BUTTON_BEHIND_LINK}
    use = confirmation_links.confirm(session, site.keyring, link, evidence=evidence, trace=trace, now=site.now())
    if use is not LinkUse.CONFIRMS:
        return _used(site, link, use)
    if is_welcomed := _owe_welcome(site, session, link):
        afterwards.add_task(site.wakeups.wake, Queue.URGENT)  # once this transaction is committed
    if thanks := thank_you_pages.after_confirming(link.confirmable):
        return thank_you_pages.lead_to(thanks)
    return _confirmed_page(site, session, link, is_welcomed=is_welcomed)


def _owe_welcome(site: Site, session: Session, link: ConfirmationLink) -> bool:
    """Owe the welcome letters of newsletters that the person did not read before; return whether any is owed."""
    new = [each.id for each in link.confirmable if each.sends_welcome and each.standing is not Standing.SUBSCRIBED]
    if not new:
        return False
    owed = welcome_letters.owe(
        session,
        link.signup.subscriber_id,
        new,
        templates=site.templates,
        base_url=site.settings.base_url,
        now=site.now(),
    )
    return owed > 0


def _confirmed_page(site: Site, session: Session, link: ConfirmationLink, *, is_welcomed: bool) -> HTMLResponse:
    confirmed = link.confirmable
    return _about(
        site,
        link,
        "confirmed",
        newsletters=_with_schedules(session, confirmed),
        welcome=is_welcomed,
        senders=list(dict.fromkeys(each.sender for each in confirmed)),
        site_url=next((each.site_url for each in confirmed if each.site_url), None),
    )


def _with_schedules(session: Session, newsletters: Sequence[AskedNewsletter]) -> list[dict[str, Any]]:
    schedules = digests.schedules(session, [each.id for each in newsletters])
    return [
        {"slug": each.slug, "name": each.name, "language": each.language, "schedule": schedules.get(each.id)}
        for each in newsletters
    ]


def _confirm_page(
    request: Request, site: Site, session: Session, link: ConfirmationLink, *, status: int = 200
) -> HTMLResponse:
    use = link.use(now=site.now())
    if use is not LinkUse.CONFIRMS:
        return _used(site, link, use)
    rows = _with_schedules(session, link.confirmable)
    words = rendered_forms.confirm_words(site.templates, language=link.words_language, text=link.signup.wording)
    thank_you_pages.allow(request, link.confirmable)
    return _about(site, link, "confirm", newsletters=rows, confirm_words=words, status=status)


def _renew(
    request: Request,
    site: Site,
    session: Session,
    link: ConfirmationLink,
    trace: Trace,
    afterwards: BackgroundTasks,
) -> HTMLResponse:
    """Owe the address of an expired link a new letter, by the rules of every sign-up."""
    now = site.now()
    if not link.can_be_renewed(now=now):
        return _confirm_page(request, site, session, link)
    renewals.renew(session, site.keyring, link, trace=trace, now=now)
    afterwards.add_task(site.wakeups.wake, Queue.URGENT)  # once this transaction is committed
    return _about(site, link, "link_renewed", status=202)


def _used(site: Site, link: ConfirmationLink, use: LinkUse) -> HTMLResponse:
    """Say why the link confirms nothing now."""
    if use is LinkUse.CONFIRMED:
        subscribed = [each for each in link.newsletters if each.standing is Standing.SUBSCRIBED]
        return _about(site, link, "already_confirmed", newsletters=subscribed)
    if use is LinkUse.WITHDRAWN:
        return _about(site, link, "withdrawn_since", status=410)
    if use is LinkUse.REPLACED:
        return _about(site, link, "replaced", status=410)
    if link.can_be_renewed(now=site.now()):
        return _about(site, link, "link_expired", can_renew=True, status=410)
    raise LinkExpired(newsletter_id=link.newsletters[0].id, language=link.language)


@router.get("/never/{token}")
def never_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Explain "never write to this address", and show the button."""
    return _never_page(site, confirmation_links.find(session, site.links.read(token, Purpose.NEVER)))


@router.post("/never/{token}")
def never(
    token: str, form: RequestForm, site: CurrentSite, session: WritingSession, trace: RequestTrace
) -> HTMLResponse:
    """Suppress the address for good. Like `confirm`, it acts on its own button alone."""
    ids = site.links.read(token, Purpose.NEVER)
    if not is_checked(form, "never"):
        return _never_page(site, confirmation_links.find(session, ids), status=422)
    signup = decisions.find_signup(session, ids, lock=True)
    decisions.refuse(session, site.keyring, signup, trace=trace, now=site.now())
    return _about(site, confirmation_links.find(session, ids), "never_done")


def _never_page(site: Site, link: ConfirmationLink, *, status: int = 200) -> HTMLResponse:
    if link.is_refused:
        return _about(site, link, "never_done")
    return _about(site, link, "never", status=status)


def _about(site: Site, link: ConfirmationLink, page: str, **context: Any) -> HTMLResponse:
    shown = {"newsletters": link.newsletters, "address": addresses.mask(link.signup.address)}
    return site.page(page, tag=link.language, newsletter=link.newsletters[0], **shown | context)
