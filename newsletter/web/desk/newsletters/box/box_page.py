"""The page about a newsletter's sign-up box."""

from typing import NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from newsletter import registered_sites
from newsletter.consent.counts import signup_counts
from newsletter.consent.wordings import box_texts, pasted_forms, wordings
from newsletter.embed.snippet import BoxLook, element, snippet
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.newsletters import text_languages
from newsletter.web.desk.newsletters.box import signup_pressure
from newsletter.web.desk.newsletters.text_languages import tag_in
from newsletter.web.site import ReadingSession

NOTICES = {
    "registered": "The site is registered. Its pages show the box within seconds.",
    "removed": "The site is removed. Within seconds its pages show only the link, and sign-ups from them are refused.",
    "said": "The box says this now. Pages show it within a minute.",
    "generated": "The form is written, and kept as evidence. Copy it into your page.",
}
LOOKS = {
    BoxLook.INLINE: "In the text",
    BoxLook.BAR: "Bar at the foot",
    BoxLook.DIALOG: "Dialog",
}

router = DeskRouter()


class EnteredBox(NamedTuple):
    """What is entered in the page's forms; None: nothing, so what is stored is shown."""

    origin: str = ""
    title: str | None = None
    text: str | None = None


@router.page("/newsletters/{slug}/box", Role.VIEWER)
def box_page(request: Request, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show what the box needs and says, in the newsletter's language unless the query names another one."""
    newsletter = desk.newsletter
    return shown(desk, session, newsletter, request.query_params.get("language", ""))


def shown(
    desk: Desk,
    session: Session,
    newsletter: Newsletter,
    language: str,
    *,
    entered: EnteredBox | None = None,
    errors: dict[str, str] | None = None,
) -> HTMLResponse:
    """Return the page; with errors, it says what to correct. Raises NotFound unless the language is one."""
    entered, base_url, now = entered or EnteredBox(), desk.site.settings.base_url, desk.site.now()
    tag = tag_in(newsletter, language or newsletter.language)
    words = wordings.current_by_language(session, newsletter.id)
    says = box_texts.of(session, newsletter, tag)
    title, text = (
        stored if new is None else new for stored, new in ((says.title, entered.title), (says.text, entered.text))
    )
    return desk.page(
        "newsletters/box/page",
        notices=NOTICES,
        newsletter=newsletter,
        tag=tag,
        languages=text_languages.listed(newsletter, sorted(words)),
        has_words=tag in words,
        sites=registered_sites.of(session, newsletter.id),
        says=says._replace(title=title, text=text),
        entered_origin=entered.origin,
        errors=errors,
        looks=[(look, LOOKS[look], snippet(newsletter, base_url, look=look)) for look in BoxLook],
        element=element(newsletter, base_url),
        pasted=pasted_forms.published(session, desk.site.templates, newsletter, words[tag], base_url)
        if tag in words
        else "",
        day=signup_counts.last_day(session, newsletter.id, now=now),
        pressure=signup_pressure.read(desk, session) if desk.operator.may(Role.VIEWER) else None,
        plot=signup_pressure.plot,
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
    )
