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
from newsletter.consent.signups import confirmation_links, renewals
from newsletter.consent.signups.confirmation_links import AskedNewsletter, ConfirmationLink, LinkUse
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.wordings import rendered_forms
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired
from newsletter.links import Purpose
from newsletter.mail.mailings import welcome_letters
from newsletter.queues.wakeups import Queue
from newsletter.web.failures import wants_json
from newsletter.web.form_data import RequestForm, is_checked
from newsletter.web.public.forms import thank_you_pages
from newsletter.web.public.letter_links import expired_links
from newsletter.web.public.letter_links.expired_links import Renewal
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


@router.get("/confirm/{token}")
def confirm_page(token: str, request: Request, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the newsletters, the stored consent wording and the button."""
    link, renewal = _find(request, site, session, token)
    return _confirm_page(request, site, session, link, renewal) if link else expired_links.show(site, session, renewal)


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

    The page of an expired link posts `again` instead. A POST without the button's field, such as a scanner's, changes
    nothing: its answer is the page with the button.
    """
    link, renewal = _find(request, site, session, token, lock=True)
    if renewal and is_checked(form, "again"):
        renewed = expired_links.renew(site, session, renewal, form, trace)
        if renewed:
            afterwards.add_task(site.wakeups.wake, Queue.URGENT)  # once this transaction is committed
        return renewed or expired_links.show(site, session, renewal, changed=True)
    if link is None:
        return expired_links.show(site, session, renewal)
    if not is_checked(form, "confirm"):
        return _confirm_page(request, site, session, link, renewal, status=422)
    evidence = {EvidenceField.METHOD: EvidenceTerm.BUTTON_BEHIND_LINK}
    use = confirmation_links.confirm(session, site.keyring, link, evidence=evidence, trace=trace, now=site.now())
    if use is not LinkUse.CONFIRMS:
        return _used(site, session, link, use, renewal)
    if is_welcomed := _owe_welcome(site, session, link):
        afterwards.add_task(site.wakeups.wake, Queue.URGENT)  # once this transaction is committed
    if thanks := thank_you_pages.after_confirming(link.confirmable):
        return thank_you_pages.lead_to(thanks)
    return _confirmed_page(site, session, link, is_welcomed=is_welcomed)


def _find(
    request: Request, site: Site, session: Session, token: str, *, lock: bool = False
) -> tuple[ConfirmationLink | None, Renewal | None]:
    """Return the link, None if its sign-up was deleted; and what one press asks for again if it has expired.

    Raises LinkExpired for a program, to which a page would say nothing, if the sign-up was deleted.
    """
    read = site.links.read_with_rest(token, Purpose.CONFIRM)
    try:
        link = confirmation_links.find(session, read.ids, lock=lock)
    except LinkExpired:
        if wants_json(request):
            raise
        return None, expired_links.carried(site, read)
    can_be_renewed = link.can_be_renewed(now=site.now())
    return link, expired_links.of(site, renewals.of_row(link)) if can_be_renewed else None


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
    request: Request,
    site: Site,
    session: Session,
    link: ConfirmationLink,
    renewal: Renewal | None,
    *,
    status: int = 200,
) -> HTMLResponse:
    use = link.use(now=site.now())
    if use is not LinkUse.CONFIRMS:
        return _used(site, session, link, use, renewal)
    rows = _with_schedules(session, link.confirmable)
    words = rendered_forms.confirm_words(site.templates, language=link.words_language, text=link.signup.wording)
    thank_you_pages.allow(request, link.confirmable)
    return _about(site, link, "confirm", newsletters=rows, confirm_words=words, status=status)


def _used(site: Site, session: Session, link: ConfirmationLink, use: LinkUse, renewal: Renewal | None) -> HTMLResponse:
    """Say why the link confirms nothing now."""
    if use is LinkUse.CONFIRMED:
        subscribed = [each for each in link.newsletters if each.standing is Standing.SUBSCRIBED]
        return _about(site, link, "already_confirmed", newsletters=subscribed)
    if use is LinkUse.WITHDRAWN:
        return _about(site, link, "withdrawn_since", status=410)
    if use is LinkUse.REPLACED:
        return _about(site, link, "replaced", status=410)
    if renewal:
        return expired_links.show(site, session, renewal)
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
