"""A newsletter's letter and its sign-up page as readers and visitors see them, with what is entered but not saved."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from newsletter import newsletters, templating
from newsletter.consent.wordings import proposed_words, rendered_forms, wordings
from newsletter.consent.wordings.wordings import Shown
from newsletter.content.digests import digests
from newsletter.languages import tags
from newsletter.languages.languages import language
from newsletter.mail.delivery import words
from newsletter.mail.mailings import issue_layout, welcome_letters
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk import previews
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters import newsletter_forms
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/newsletters/new/preview/letter", Role.ADMIN, AccessScope.SERVICE)
def empty_preview(desk: CurrentDesk) -> HTMLResponse:
    """Say what the preview of a new newsletter needs."""
    return refused(desk, ["Enter name, publisher, postal address and sender; then choose what to see."], status=200)


@router.action("/newsletters/new/preview/letter", Role.ADMIN, AccessScope.SERVICE)
def new_letter_preview(desk: CurrentDesk, form: PostedForm) -> HTMLResponse:
    """Show a letter of a newsletter that is not added yet."""
    newsletter, errors = _new(desk, form)
    with desk.site.database.reading() as session:
        return _letter(desk, session, newsletter) if newsletter else _refused(desk, errors)


@router.action("/newsletters/new/preview/page", Role.ADMIN, AccessScope.SERVICE)
def new_signup_page_preview(desk: CurrentDesk, form: PostedForm) -> HTMLResponse:
    """Show the sign-up page of a newsletter that is not added yet."""
    newsletter, errors = _new(desk, form)
    with desk.site.database.reading() as session:
        return _signup_page(desk, session, newsletter) if newsletter else _refused(desk, errors)


@router.page("/newsletters/{slug}/preview/letter", Role.VIEWER)
def letter_preview(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show a letter."""
    return _letter(desk, session, desk.newsletter)


@router.action("/newsletters/{slug}/preview/letter", Role.ADMIN)
def entered_letter_preview(slug: str, desk: CurrentDesk, form: PostedForm) -> HTMLResponse:
    """Show a letter with the fields as they are entered; nothing is changed."""
    with desk.site.database.reading() as session:
        newsletter, errors = _entered(newsletters.named(session, slug), form)
        return _refused(desk, errors) if errors else _letter(desk, session, newsletter)


@router.page("/newsletters/{slug}/preview/welcome", Role.VIEWER)
def welcome_preview(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the welcome letter as the next new reader would get it, whether or not the newsletter sends one."""
    newsletter, site = desk.newsletter, desk.site
    letter = welcome_letters.example(session, site.templates, newsletter, base_url=site.settings.base_url)
    if letter is None:
        return refused(desk, ["The welcome letter cannot be laid out, so none is sent. The log says why."])
    return previews.shown(site, letter.html.get_content())


@router.page("/newsletters/{slug}/preview/page", Role.VIEWER)
def signup_page_preview(request: Request, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the sign-up page, in the newsletter's language unless the query names another one."""
    newsletter = desk.newsletter
    return _signup_page(desk, session, newsletter, request.query_params.get("language", ""))


@router.action("/newsletters/{slug}/preview/page", Role.ADMIN)
def entered_signup_page_preview(slug: str, desk: CurrentDesk, form: PostedForm) -> HTMLResponse:
    """Show the sign-up page with the fields as they are entered; nothing is changed."""
    with desk.site.database.reading() as session:
        newsletter, errors = _entered(newsletters.named(session, slug), form)
        return _refused(desk, errors) if errors else _signup_page(desk, session, newsletter)


def form_of(desk: Desk, newsletter: Newsletter, shown: Shown, *, schedule: Any = None) -> HTMLResponse:
    """Return the sign-up page with a form that shows these words."""
    form = rendered_forms.hosted(desk.site.templates, shown, [newsletter], wording=0, form=0)
    page = desk.site.page(
        "signup",
        tag=shown.language,
        newsletter=newsletter,
        hosted_form=form,
        languages=None,
        schedule=schedule,
        latest=None,
        errors={},
    )
    return previews.shown(desk.site, bytes(page.body).decode())


def _refused(desk: Desk, errors: dict[str, str]) -> HTMLResponse:
    return refused(desk, list(errors.values()))


def refused(desk: Desk, problems: list[str], *, status: int = 422) -> HTMLResponse:
    """Return the document that tells why there is nothing to show."""
    page = desk.page("newsletters/preview_refused", problems=problems)
    return previews.shown(desk.site, bytes(page.body).decode(), status=status)


def _entered(newsletter: Newsletter, form: PostedForm) -> tuple[Newsletter, dict[str, str]]:
    """Return the newsletter as it would be after the form, which is no row, and what is wrong with the form."""
    entered = newsletter_forms.entered(form)
    columns = {
        column.key: getattr(newsletter, column.key) for column in inspect(Newsletter).column_attrs if column.key != "id"
    }
    changed = {**columns, **entered.stored}
    changed["reply_to"] = changed["reply_to"] or changed["sender"]
    row = Newsletter(**changed)
    row.id = newsletter.id
    return row, entered.errors


def _new(desk: Desk, form: PostedForm) -> tuple[Newsletter | None, dict[str, str]]:
    """Return the newsletter that would be added, which is no row, or what is wrong with the form."""
    entered = newsletter_forms.entered(form)
    if entered.errors:
        return None, entered.errors
    slug = forms.text(form, "slug") or newsletters.slug_of(entered.values["name"])
    stored = {**entered.stored, "reply_to": entered.stored["reply_to"] or entered.stored["sender"]}
    row = Newsletter(slug=slug, list_id="", created_at=desk.site.now(), **stored)
    return row, {}


def _letter(desk: Desk, session: Session, newsletter: Newsletter) -> HTMLResponse:
    spoken, base_url = language(newsletter.language), desk.site.settings.base_url
    today = spoken.day(templating.local(desk.site.now(), newsletter.zone))
    article = {
        "title": "The headline of the first article",
        "url": base_url,
        "excerpt": "The beginning of the article stands here, two or three lines of it, as its feed gives it.",
        "source": newsletter.publisher,
        "author": None,
        "minutes": None,
        "picture": None,
    }
    issue = {
        "number": 1,
        "title": newsletter.name,
        "heading": None,
        "preheader": None,
        "introduction": (),
        "date": today,
        "articles": [article, {**article, "title": "And of the second one"}],
        "in_full": 2,
    }
    html = (
        desk.site.templates(spoken.tag)
        .get_template("letters/digest/body.html")
        .render(
            newsletter=newsletter,
            issue=issue,
            logo=issue_layout.shown_logo(session, newsletter, base_url),
            archive_url=base_url,
            archive_index_url=base_url,
            field={
                "unsubscribe": base_url,
                "preferences": base_url,
                "greeting": words.nameless_greeting(spoken),
            },
        )
    )
    return previews.shown(desk.site, html)


def _signup_page(desk: Desk, session: Session, newsletter: Newsletter, tag: str = "") -> HTMLResponse:
    """Show the page with the published words; with the proposed ones if they would follow a change, or come first."""
    tag = tag if tags.TAG.fullmatch(tag) else newsletter.language
    current = wordings.current(session, newsletter.id, tag)
    stored = session.get(Newsletter, newsletter.id) if newsletter.id else None
    was_proposed = current and stored and current.text == proposed_words.consent_text([stored], tag)
    text = proposed_words.consent_text([newsletter], tag) if was_proposed or not current else current.text
    if text is None:
        return refused(desk, [f"No words of consent are published in “{tag}” yet."])
    told = current.information if current else None
    if stored and told == proposed_words.information([stored], tag):
        told = None
    shown = Shown(tag, text, told or proposed_words.information([newsletter], tag))
    return form_of(desk, newsletter, shown, schedule=digests.schedule(session, newsletter.id))
