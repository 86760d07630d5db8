"""GET and POST /preferences/{token}/more/{slug}: ask for a further newsletter by a freshly mailed link.

The page shows the newsletter's own sign-up form, with the masked address in it, so that what proves the consent is the
same as everywhere: the words and the form as they were published, and a confirmation letter.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.signups import signups
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.wordings.rendered_forms import Entered
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired, NotFound
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable, translatable
from newsletter.newsletters import MAX_SLUG_CHARACTERS, Newsletter
from newsletter.plain_text import shortened
from newsletter.queues.wakeups import Queue
from newsletter.web.form_data import FormData, RequestForm, first_value, shown_again
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.negotiation import WantedLanguages
from newsletter.web.public.forms import hosted_forms, posted_signs, posted_signups
from newsletter.web.public.forms.signup_form import InvalidForm, named_in, parse_signup_form
from newsletter.web.public.offered_newsletters import PublishedForm
from newsletter.web.public.preferences import fresh_page, letter_page, links, subscriptions
from newsletter.web.public.preferences.links import PreferencesLink
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site

# The evidence about where the form was shown, and how it came.
OBSERVED = {
    EvidenceField.PAGE: EvidenceTerm.PREFERENCES_BY_FRESH_LINK,
    EvidenceField.METHOD: EvidenceTerm.FORM_ON_THE_WEB,
}
OTHER_ADDRESS = translatable(
    "This page signs up the address of your link only. Leave the field as it was, or use the newsletter's own page."
)

router = APIRouter()


@router.get("/preferences/{token}/more/{slug}")
def further_page(
    token: str, slug: str, site: CurrentSite, session: ReadingSession, wanted: WantedLanguages
) -> Response:
    """Show the newsletter and its form; lead back to the list if the address gets it already."""
    link = links.read(site, session, token, wanted)
    if not link.is_fresh:
        return letter_page.show(site, session, link)
    rows = _rows(session, link)
    row = _named(rows, slug)
    if row.standing is Standing.SUBSCRIBED:
        return RedirectResponse(f"{site.root}/preferences/{link.token(site)}", 303)
    return _form_page(site, session, link, row, tag=fresh_page.page_language(link, rows))


@router.post("/preferences/{token}/more/{slug}")
@route_rules(body_limit=FORM_BODY_BYTES)
def ask_for_further(
    token: str, slug: str, form: RequestForm, site: CurrentSite, trace: RequestTrace, wanted: WantedLanguages
) -> HTMLResponse:
    """Store a sign-up of the link's own address, as if its form had been posted to /subscribe."""
    with site.database.writing() as session:
        link = links.read(site, session, token, wanted)
        if not link.is_fresh:
            return letter_page.show(site, session, link, is_too_late=True)
        rows = _rows(session, link)
        row, tag = _named(rows, slug), fresh_page.page_language(link, rows)
        names = named_in({**form, "newsletters": [row.slug]})
        offered = site.offered.get(names)
        try:
            signup = parse_signup_form({**form, "email": [row.address]}, names, offered)
            _check_address(row, first_value(form, "email"))
        except InvalidForm as invalid:
            return _form_page(site, session, link, row, tag=tag, form=form, errors=invalid.errors)
        signs = posted_signs.read(form, site.keyring, now=site.now())
        stored = posted_signups.values(site, offered, signup, observed=OBSERVED, trace=trace, **signs)
        signups.insert_row(session, stored)
    site.wakeups.wake(Queue.URGENT)
    return site.page(
        "further_asked",
        tag=tag,
        negotiated=True,
        newsletter=row,
        address=addresses.mask(row.address),
        sender=row.sender,
        token=link.token(site),
        outbox=site.shows_outbox,
        status=202,
    )


def _rows(session: Session, link: PreferencesLink) -> list[Row[Any]]:
    """Return all newsletters with the address and its standing. Raises LinkExpired if the address was erased."""
    rows = subscriptions.every(session, link)
    if not rows:
        raise LinkExpired
    return rows


def _named(rows: list[Row[Any]], slug: str) -> Row[Any]:
    for row in rows:
        if row.slug == slug:
            return row
    raise NotFound(translatable("There is no newsletter “%(slug)s” here.", slug=shortened(slug, MAX_SLUG_CHARACTERS)))


def _check_address(row: Row[Any], entered: str) -> None:
    if entered not in ("", addresses.mask(row.address)):
        raise InvalidForm({"email": OTHER_ADDRESS})


def _form_page(
    site: Site,
    session: Session,
    link: PreferencesLink,
    row: Row[Any],
    *,
    tag: str,
    form: FormData | None = None,
    errors: Mapping[str, Translatable | str] | None = None,
) -> HTMLResponse:
    offered = site.offered.get()
    newsletter = offered.newsletter(row.slug)
    published = offered.current(newsletter, tag)
    told = {field: language(tag).text(error) for field, error in (errors or {}).items()}
    return site.page(
        "further_newsletter",
        tag=tag,
        negotiated=True,
        status=422 if told else 200,
        newsletter=newsletter,
        address=addresses.mask(row.address),
        token=link.token(site),
        hosted_form=_form(site, link, row, published, newsletter, form, told) if published else None,
        schedule=digests.schedule(session, newsletter.id),
        is_asked=row.standing is Standing.ASKED,
        errors=told,
    )


def _form(
    site: Site,
    link: PreferencesLink,
    row: Row[Any],
    published: PublishedForm,
    newsletter: Newsletter,
    form: FormData | None,
    errors: Mapping[str, str],
) -> Any:
    name = shown_again(form, "name") if form else row.reader_name or ""
    entered = Entered(addresses.mask(row.address), name, (newsletter.slug,), errors)
    path = f"/preferences/{link.token(site)}/more/{newsletter.slug}"
    return hosted_forms.show(site, site.offered.get(), published, entered, path=path)
