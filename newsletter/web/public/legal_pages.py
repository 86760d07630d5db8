"""The pages that the law asks for: privacy notice, imprint and accessibility statement of each newsletter."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from newsletter.languages import catalogues
from newsletter.languages.languages import Language, language
from newsletter.legal_pages import marked_text, page_texts
from newsletter.legal_pages.generated_texts import NAMES, generated
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.newsletters import Newsletter
from newsletter.web import negotiation
from newsletter.web.guards import route_rules
from newsletter.web.public.page_descriptions import PageDescription, describe
from newsletter.web.site import CurrentSite, ReadingSession, Site

router = APIRouter()


def _add_routes(page: LegalPage) -> None:
    @router.get(f"/n/{{slug}}/{page}")
    @route_rules(public=True)
    def of_newsletter(slug: str, request: Request, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
        return _shown(request, site, session, site.offered.newsletter(slug), page)

    @router.get(f"/{page}")
    @route_rules(public=True)
    def of_all(request: Request, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
        every = list(site.offered.get().newsletters.values())
        return _shown(request, site, session, every[0], page) if len(every) == 1 else _listed(request, site, page)


for each in LegalPage:
    _add_routes(each)


def preview(site: Site, newsletter: Newsletter, page: LegalPage, tag: str, own: str) -> HTMLResponse:
    """Return the page with this text of the newsletter's own in this language; "" is the generated one."""
    text = own or generated_text(site, newsletter, page, language(tag))
    return _with_text(site, newsletter, page, tag, text, is_own=bool(own))


def generated_text(site: Site, newsletter: Newsletter, page: LegalPage, spoken: Language) -> str:
    """Return the text of a page without one of the newsletter's own."""
    published = site.offered.get().current(newsletter, spoken.tag)
    return generated(page, newsletter, spoken, information=published.wording.information if published else None)


def _shown(request: Request, site: Site, session: Session, newsletter: Newsletter, page: LegalPage) -> HTMLResponse:
    """Show a page in the language that suits the visitor: of own texts, if there is any, else of all catalogues."""
    own = page_texts.own(session, newsletter.id, page)
    offered = _offered(newsletter, own)
    tag = negotiation.language_of(request, offered)
    linked = [each for each in offered if each in own or each in newsletter.languages or each == tag]
    path, spoken = f"/n/{newsletter.slug}/{page}", language(tag)
    return _with_text(
        site,
        newsletter,
        page,
        tag,
        own.get(tag) or generated_text(site, newsletter, page, spoken),
        is_own=tag in own,
        negotiated=len(offered) > 1,
        languages=negotiation.links(site.root + path, linked, tag),
        query=negotiation.kept(request, tag),
        page_description=_description(site, page, path, tag, linked),
    )


def _offered(newsletter: Newsletter, own: Mapping[str, str]) -> list[str]:
    in_order = [tag for tag in newsletter.languages if tag in own] + list(own)
    return list(dict.fromkeys(in_order or [*newsletter.languages, *catalogues.LANGUAGES]))


def _with_text(
    site: Site, newsletter: Newsletter, page: LegalPage, tag: str, text: str, *, is_own: bool, **context: Any
) -> HTMLResponse:
    names = NAMES[page]
    return site.page(
        "legal",
        tag=tag,
        newsletter=newsletter,
        kind=names.title,
        headline=names.title if is_own else names.headline(newsletter),
        text_language=tag if is_own else language(tag).tag,
        sections=marked_text.read(text),
        **context,
    )


def _listed(request: Request, site: Site, page: LegalPage) -> HTMLResponse:
    """List the pages of several newsletters, for each has its own."""
    every = list(site.offered.get().newsletters.values())
    languages = negotiation.offered_in_any(every)
    shown = negotiation.choices(request, f"{site.root}/{page}", languages)
    tag = shown["tag"]
    return site.page(
        "legal_of_all",
        **shown,
        newsletters=every,
        page=page,
        kind=NAMES[page].title,
        page_description=_description(site, page, f"/{page}", tag, languages or [tag]),
    )


def _description(site: Site, page: LegalPage, path: str, tag: str, languages: list[str]) -> PageDescription:
    described = language(tag).text(NAMES[page].description)
    return describe(site.settings.base_url + path, tag=tag, languages=languages, description=described)
