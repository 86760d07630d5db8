"""The words of consent in one language: what is published, its versions, and a form that publishes the next one."""

from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.audit_log import AuditEntry
from newsletter.consent.wordings import information_texts, proposed_words, wording_publication, wordings
from newsletter.consent.wordings.proposed_words import Information
from newsletter.consent.wordings.wordings import Shown, Wording
from newsletter.errors import Malformed
from newsletter.languages.languages import english_name
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.plain_text import CONTROLS
from newsletter.web import whole_numbers
from newsletter.web.desk import changes
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters import newsletter_previews
from newsletter.web.desk.newsletters.text_languages import tag_in
from newsletter.web.form_data import FormData
from newsletter.web.site import ReadingSession

VERSIONS = 20  # on a page
MAX_VERSION_DIGITS = 9
NOTICES = {
    "published": "The new version is published. Visitors see it within seconds.",
    "kept": "Words are published in this language already, so the proposal was not.",
    "same": "These words are published already, so there is no new version.",
}

router = DeskRouter()


class WrittenWords(NamedTuple):
    """The words in the form, as text."""

    wording: str
    information: str


@router.page("/newsletters/{slug}/wordings/{language}", Role.VIEWER)
def wording_page(language: str, request: Request, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the words in a language, with the published ones or the proposal in the form."""
    newsletter = desk.newsletter
    tag = tag_in(newsletter, language)
    is_proposal = "proposal" in request.query_params
    written = _proposed(newsletter, tag) if is_proposal else _current(session, newsletter, tag)
    return _page(desk, session, newsletter, tag, written, before=request.query_params.get("before", ""))


@router.action("/newsletters/{slug}/wordings/{language}/preview", Role.ADMIN)
def wording_preview(slug: str, language: str, desk: CurrentDesk, form: PostedForm) -> HTMLResponse:
    """Show the form with these words as visitors would see it; nothing is published."""
    written = _written(form)
    with desk.site.database.reading() as session:
        newsletter = newsletters.named(session, slug)
        tag = tag_in(newsletter, language)
        information, errors = _checked(session, newsletter, tag, written)
        if errors or information is None:
            return newsletter_previews.refused(desk, list(errors.values()))
        shown = Shown(tag, wordings.on_one_line(written.wording), information)
        return newsletter_previews.form_of(desk, newsletter, shown)


@router.action("/newsletters/{slug}/wordings/{language}", Role.ADMIN)
def publish(slug: str, language: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Publish these words as a new version, unless they are the current ones."""
    written, published = _written(form), None
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        newsletters.lock(session, newsletter.id)
        tag = tag_in(newsletter, language)
        before = wordings.current(session, newsletter.id, tag)
        information, errors = _checked(session, newsletter, tag, written)
        if not errors:
            published = wording_publication.publish(
                session,
                desk.site.templates,
                newsletter,
                text=written.wording,
                language=tag,
                information=information,
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
    if published is None:
        with desk.site.database.reading() as session:
            return _page(desk, session, newsletter, tag, written, errors=errors)
    is_new = before is None or published.id != before.id
    return desk.done(f"/newsletters/{slug}/wordings/{tag}", "published" if is_new else "same")


def _written(form: FormData) -> WrittenWords:
    return WrittenWords(forms.text(form, "wording"), forms.text(form, "information"))


def _current(session: Session, newsletter: Newsletter, tag: str) -> WrittenWords:
    current = wordings.current(session, newsletter.id, tag)
    if current is None:
        return _proposed(newsletter, tag)
    told = wordings.last_information(session, current) or proposed_words.information([newsletter], tag)
    return WrittenWords(current.text, information_texts.written(told))


def _proposed(newsletter: Newsletter, tag: str) -> WrittenWords:
    told = proposed_words.information([newsletter], tag)
    return WrittenWords(proposed_words.consent_text([newsletter], tag) or "", information_texts.written(told))


def _checked(
    session: Session, newsletter: Newsletter, tag: str, written: WrittenWords
) -> tuple[Information | None, dict[str, str]]:
    """Return the information to publish, and what is wrong in the form.

    Information that reads like the proposal, or like what is published, is that: the proposal follows the newsletter's
    fields, and some of it is in another language than the words.
    """
    errors: dict[str, str] = {}
    text = wordings.on_one_line(written.wording)
    if not text or len(text) > wordings.MAX_CHARACTERS or CONTROLS.search(text):
        errors["wording"] = f"Enter a consent text of at most {wordings.MAX_CHARACTERS:,} characters, in plain text."
    try:
        information = information_texts.read(written.information, tag)
    except Malformed as error:
        return None, {**errors, error.field: str(error)}
    current = wordings.current(session, newsletter.id, tag)
    told = wordings.last_information(session, current) if current else None
    for known in (proposed_words.information([newsletter], tag), told):
        if known and information_texts.read(information_texts.written(known), tag)["entries"] == information["entries"]:
            return known, errors
    return information, errors


def _page(
    desk: Desk,
    session: Session,
    newsletter: Newsletter,
    tag: str,
    written: WrittenWords,
    *,
    before: str = "",
    errors: dict[str, str] | None = None,
) -> HTMLResponse:
    versions = _versions(session, newsletter, tag, before=before)
    proposed = _proposed(newsletter, tag)
    return desk.page(
        "newsletters/wording",
        notices=NOTICES,
        newsletter=newsletter,
        tag=tag,
        language_name=english_name(tag),
        current=wordings.current(session, newsletter.id, tag),
        versions=versions[:VERSIONS],
        older=versions[VERSIONS - 1]["version"] if len(versions) > VERSIONS else None,
        has_proposal=bool(proposed.wording) and proposed != written,
        written=written,
        errors=errors,
        is_offered=tag in newsletter.languages,
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
    )


def _versions(session: Session, newsletter: Newsletter, tag: str, *, before: str) -> list[dict[str, Any]]:
    """Return the versions, the newest first, one more than a page shows if there are older ones."""
    chosen = select(Wording).where(
        Wording.newsletter_id == newsletter.id, Wording.language == tag, Wording.newsletters.is_(None)
    )
    if (version := whole_numbers.parse(before, digits=MAX_VERSION_DIGITS)) is not None:
        chosen = chosen.where(Wording.version < version)
    found = list(session.scalars(chosen.order_by(Wording.version.desc()).limit(VERSIONS + 1)))
    subjects = [f"wording:{each.id}" for each in found]
    entries = select(AuditEntry.subject, AuditEntry.actor).where(
        AuditEntry.subject.in_(subjects), AuditEntry.verb == wordings.PUBLISHED
    )
    actors: dict[str, str] = {row.subject: row.actor for row in session.execute(entries)} if found else {}
    names = changes.actor_names(session, set(actors.values()))
    return [
        {
            "version": each.version,
            "published_at": each.published_at,
            "by": names.get(actors.get(f"wording:{each.id}", "")),
            "text": each.text,
        }
        for each in found
    ]
