"""The pages behind the links of a confirmation letter: confirm, and "never write to this address".

GET shows a button; POST acts.
"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import decisions
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.wordings import Wording
from newsletter.content.digests import digests
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter
from newsletter.web.form_data import RequestForm, is_checked
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


@router.get("/confirm/{token}")
def confirm_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the newsletters, the stored consent wording and the button."""
    signup = decisions.find_signup(session, site.links.read(token, Purpose.CONFIRM), lock=False)
    return _confirm_page(site, session, signup)


@router.post("/confirm/{token}")
def confirm(
    token: str, form: RequestForm, site: CurrentSite, session: WritingSession, trace: RequestTrace
) -> HTMLResponse:
    """Record the consent of the address's owner. Confirming again is no error.

    A POST without the button's field, such as a scanner's, changes nothing: its answer is the page with the button.
    """
    signup = decisions.find_signup(session, site.links.read(token, Purpose.CONFIRM), lock=True)
    if not is_checked(form, "confirm"):
        return _confirm_page(site, session, signup, status=422)
    evidence = {"method": "button on the page that the letter's link opens"}
    done = decisions.confirm(session, signup, evidence=evidence, trace=trace, now=site.now())
    return _about(site, session, signup, "confirmed" if done else "already_confirmed")


@router.get("/never/{token}")
def never_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Explain "never write to this address", and show the button."""
    signup = decisions.find_signup(session, site.links.read(token, Purpose.NEVER), lock=False)
    return _never_page(site, session, signup)


@router.post("/never/{token}")
def never(
    token: str, form: RequestForm, site: CurrentSite, session: WritingSession, trace: RequestTrace
) -> HTMLResponse:
    """Suppress the address for good. Like `confirm`, it acts on its own button alone."""
    signup = decisions.find_signup(session, site.links.read(token, Purpose.NEVER), lock=True)
    if not is_checked(form, "never"):
        return _never_page(site, session, signup, status=422)
    decisions.refuse(session, site.keyring, signup, trace=trace, now=site.now())
    return _about(site, session, signup, "never_done")


def _confirm_page(site: Site, session: Session, signup: Signup, *, status: int = 200) -> HTMLResponse:
    if not decisions.awaits_confirmation(session, signup, now=site.now()):
        return _about(site, session, signup, "already_confirmed")
    wording = session.get_one(Wording, signup.wording_id)
    return _about(site, session, signup, "confirm", wording=wording, status=status)


def _never_page(site: Site, session: Session, signup: Signup, *, status: int = 200) -> HTMLResponse:
    if signup.state == SignupState.REFUSED:
        return _about(site, session, signup, "never_done")
    return _about(site, session, signup, "never", status=status)


def _about(site: Site, session: Session, signup: Signup, page: str, **context: Any) -> HTMLResponse:
    named = session.scalars(
        select(Newsletter).where(Newsletter.id.in_(signup.newsletters)).order_by(Newsletter.id)
    ).all()
    schedules = digests.schedules(session, signup.newsletters)
    rows = [{"slug": each.slug, "name": each.name, "schedule": schedules.get(each.id)} for each in named]
    address = addresses.mask(signup.address)
    return site.page(page, newsletter=named[0], newsletters=rows, address=address, **context)
