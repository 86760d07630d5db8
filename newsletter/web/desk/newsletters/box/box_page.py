"""The page about the sign-up box of a newsletter, or about that of several in which visitors tick theirs."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters, registered_sites
from newsletter.consent.counts import signup_counts
from newsletter.consent.wordings import box_texts, pasted_forms, proposed_words, shown_words
from newsletter.consent.wordings.shown_words import have_one_publisher
from newsletter.embed.snippet import BoxLook, element, snippet
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.newsletters import text_languages
from newsletter.web.desk.newsletters.box import signup_pressure
from newsletter.web.desk.newsletters.text_languages import tag_in
from newsletter.web.site import ReadingSession

ALSO = "also"  # a query parameter
NOTICES = {
    "registered": "The site is registered. Its pages show the box within seconds.",
    "removed": "The site is removed. Within seconds its pages show only the link, and sign-ups from them are refused.",
    "said": "The box says this now. Pages show it within a minute.",
    "published": "The form is published. The box shows it within seconds.",
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


@router.page("/newsletters/{slugs}/box", Role.VIEWER)
def box_page(request: Request, desk: CurrentDesk, session: ReadingSession) -> Response:
    """Show what the box needs and says, in the first newsletter's language unless the query names another one.

    `also` in the query names newsletters that shall be in the box as well: it leads to the page of the box of them all.
    """
    if also := request.query_params.getlist(ALSO):
        together = ",".join(dict.fromkeys([desk.newsletter.slug, *also]))
        return desk.done(f"/newsletters/{quote(together, safe=',')}/box")
    return shown(desk, session, desk.named, request.query_params.get("language", ""))


def offered_in(session: Session, slugs: str) -> list[Newsletter]:
    """Return the newsletters that a path names. Raises NotFound."""
    return newsletters.all_named(session, slugs.split(","))


def shown(
    desk: Desk,
    session: Session,
    offered: Sequence[Newsletter],
    language: str,
    *,
    entered: EnteredBox | None = None,
    errors: dict[str, str] | None = None,
) -> HTMLResponse:
    """Return the page; with errors, it says what to correct. Raises NotFound unless the language is one."""
    entered, base_url, now = entered or EnteredBox(), desk.site.settings.base_url, desk.site.now()
    first, is_one, can_share = offered[0], len(offered) == 1, have_one_publisher(offered)
    tag = tag_in(first, language or first.language)
    words = shown_words.by_language(session, offered)
    says = box_texts.of(session, offered, tag)
    sites = registered_sites.of(session, first.id) if is_one else []
    title, text = (
        stored if new is None else new for stored, new in ((says.title, entered.title), (says.text, entered.text))
    )
    return desk.page(
        "newsletters/box/page",
        notices=NOTICES,
        newsletter=first,
        offered=offered,
        others=_others(desk, session, first),
        slugs=",".join(each.slug for each in offered),
        tag=tag,
        languages=text_languages.listed(first, sorted(words)),
        has_words=tag in words,
        can_share=can_share,
        proposed=proposed_words.consent_text(offered, tag) if can_share and not is_one else None,
        publish=shown_words.publishing_command(offered, tag),
        sites=sites,
        origins=[site.origin for site in sites] if is_one else registered_sites.of_all(session, offered),
        says=says._replace(title=title, text=text),
        entered_origin=entered.origin,
        errors=errors,
        looks=[(look, LOOKS[look], snippet(offered, base_url, look=look)) for look in BoxLook],
        element=element(offered, base_url),
        pasted=pasted_forms.published(session, desk.site.templates, offered, words[tag], base_url)
        if tag in words
        else "",
        day=signup_counts.last_day(session, first.id, now=now) if is_one else None,
        pressure=signup_pressure.read(desk, session) if desk.operator.may(Role.VIEWER) else None,
        plot=signup_pressure.plot,
        may_change=all(desk.operator.may(Role.ADMIN, each.id) for each in offered),
    )


def _others(desk: Desk, session: Session, newsletter: Newsletter) -> list[Newsletter]:
    """Return the other newsletters that the operator may see and that can be on one form with this one."""
    return [
        each
        for each in newsletters.every(session)
        if each.id != newsletter.id
        and desk.operator.may(Role.VIEWER, each.id)
        and have_one_publisher([newsletter, each])
    ]
