"""A newsletter's words of consent in all of its languages."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse, Response

from newsletter import newsletters
from newsletter.consent.wordings import proposed_words, wording_publication, wordings
from newsletter.consent.wordings.wordings import Wording
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.newsletters import text_languages
from newsletter.web.desk.newsletters.text_languages import tag_in
from newsletter.web.site import ReadingSession

NOTICES = {"published": "The words are published. Visitors see them within seconds."}

router = DeskRouter()


@router.page("/newsletters/{slug}/wordings", Role.VIEWER)
def wordings_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the words in each language, and what is proposed where there are none."""
    newsletter = desk.newsletter
    published = wordings.current_by_language(session, newsletter.id)
    return desk.page(
        "newsletters/wordings",
        notices=NOTICES,
        newsletter=newsletter,
        rows=_rows(newsletter, published),
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
    )


@router.action("/newsletters/{slug}/wordings/{language}/proposed", Role.ADMIN)
def publish_proposed(slug: str, language: str, desk: CurrentDesk) -> Response:
    """Publish the proposed words of a language that has none: words that somebody has written meanwhile stay."""
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        newsletters.lock(session, newsletter.id)
        tag = tag_in(newsletter, language)
        if wordings.current(session, newsletter.id, tag):
            return desk.done(f"/newsletters/{slug}/wordings/{tag}", "kept")
        wording = wording_publication.publish_proposed(
            session,
            desk.site.templates,
            newsletter,
            language=tag,
            actor=desk.operator.actor,
            now=desk.site.now(),
        )
    if wording is None:
        raise NotFound("No words are proposed in this language. Write your own.")
    return desk.done(f"/newsletters/{slug}/wordings", "published")


def _rows(newsletter: Newsletter, published: Mapping[str, Wording]) -> list[dict[str, Any]]:
    return [
        {
            "tag": each.tag,
            "name": each.name,
            "current": published.get(each.tag),
            "proposed": None if each.has_text else proposed_words.consent_text([newsletter], each.tag),
            "is_offered": each.tag in newsletter.languages,
        }
        for each in text_languages.listed(newsletter, sorted(published))
    ]
