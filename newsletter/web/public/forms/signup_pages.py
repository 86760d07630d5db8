"""The sign-up pages: a newsletter with its form, and the list of several."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup
from sqlalchemy.orm import Session

from newsletter.consent.wordings.rendered_forms import NOTHING, Entered
from newsletter.content.digests import digests
from newsletter.languages import tags
from newsletter.languages.languages import language
from newsletter.languages.translatable import translatable
from newsletter.newsletters import Newsletter
from newsletter.web import negotiation
from newsletter.web.guards import SAME_ORIGIN, policy, route_rules
from newsletter.web.public.forms import hosted_forms, prefilled_forms, thank_you_pages
from newsletter.web.public.issues import issue_feeds
from newsletter.web.public.issues.archive import latest
from newsletter.web.public.offered_newsletters import OfferedNewsletters, PublishedForm
from newsletter.web.public.page_descriptions import describe
from newsletter.web.site import CurrentSite, ReadingSession, Site

ABOUT = translatable("Each newsletter has its own page, where you can see a letter before you subscribe.")

router = APIRouter()


@router.get("/")
@route_rules(public=True, referrer=SAME_ORIGIN)
def home(request: Request, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the page of the only newsletter, or a list if there are several."""
    every = list(site.offered.get().newsletters.values())
    thank_you_pages.allow(request, every)
    if len(every) == 1:
        return _negotiated(request, site, session, every[0])
    languages = negotiation.offered_in_any(every)
    tag = negotiation.language_of(request, languages)
    about = describe(
        f"{site.settings.base_url}/", tag=tag, languages=languages or [tag], description=language(tag).text(ABOUT)
    )
    query = negotiation.kept(request, tag)
    entered, is_negotiated = prefilled_forms.entered(request), len(languages) > 1
    return several(site, tag, entered=entered, negotiated=is_negotiated, page_description=about, query=query)


@router.get("/n/{slug}")
@route_rules(public=True, referrer=SAME_ORIGIN)
def offer(slug: str, request: Request, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show a newsletter's page with the sign-up form."""
    newsletter = site.offered.newsletter(slug)
    thank_you_pages.allow(request, [newsletter])
    return _negotiated(request, site, session, newsletter)


@router.get("/subscribe")
def form_of_an_answer(site: CurrentSite) -> RedirectResponse:
    """Lead to the forms: a browser that reloads, or has kept, the answer to a form asks for this page."""
    return RedirectResponse(f"{site.root}/", 303)


def _negotiated(request: Request, site: Site, session: Session, newsletter: Newsletter) -> HTMLResponse:
    """Show the page in the visitor's language if there are words in it, or if the visitor's link names the language."""
    with_words = site.offered.get().languages(newsletter)
    named = request.query_params.get(negotiation.PARAMETER, "")
    is_closed = tags.lookup([named], with_words) is None and tags.lookup([named], newsletter.languages) is not None
    offered = newsletter.languages if is_closed else with_words or newsletter.languages
    tag = negotiation.language_of(request, offered)
    about = describe(
        f"{site.settings.base_url}/n/{newsletter.slug}",
        tag=tag,
        languages=offered,
        description=newsletter.description or newsletter.name,
        feeds=issue_feeds.links(site, newsletter),
    )
    is_negotiated = len(newsletter.languages) > 1 or len(with_words) > 1
    query = negotiation.kept(request, tag)
    kind = {"negotiated": is_negotiated, "page_description": about, "query": query}
    return one(site, session, newsletter, tag, entered=prefilled_forms.entered(request), **kind)


def one(
    site: Site, session: Session, newsletter: Newsletter, tag: str, *, entered: Entered = NOTHING, **kind: Any
) -> HTMLResponse:
    """Return the page of a newsletter, with its form if there are words in the language of the page."""
    offered = site.offered.get()
    with_words = offered.languages(newsletter)
    shown = offered.current(newsletter, tag) if tags.lookup([tag], with_words) else None
    page = site.page(
        "signup",
        tag=tag,
        newsletter=newsletter,
        hosted_form=_form(site, offered, shown, entered) if shown else None,
        languages=negotiation.links(f"{site.root}/n/{newsletter.slug}", list(dict.fromkeys([*with_words, tag])), tag),
        schedule=digests.schedule(session, newsletter.id),
        latest=latest(site, session, newsletter),
        errors=entered.errors,
        **kind,
    )
    return _with_policy(page, offered, [newsletter])


def several(site: Site, tag: str, *, entered: Entered = NOTHING, **kind: Any) -> HTMLResponse:
    """Return the page that lists the newsletters, with the form of several if one is published."""
    offered = site.offered.get()
    every = list(offered.newsletters.values())
    languages = negotiation.offered_in_any(every)
    published = form_of_several(offered, tag)
    page = site.page(
        "newsletters",
        tag=tag,
        newsletters=every,
        hosted_form=_form(site, offered, published, entered) if published else None,
        languages=negotiation.links(f"{site.root}/", languages, tag),
        errors=entered.errors,
        **kind,
    )
    return _with_policy(page, offered, every)


def _form(site: Site, offered: OfferedNewsletters, shown: PublishedForm, entered: Entered) -> Markup:
    return hosted_forms.show(site, offered, shown, entered, asks_for_work=offered.is_under_attack)


def _with_policy(page: HTMLResponse, offered: OfferedNewsletters, shown: Iterable[Newsletter]) -> HTMLResponse:
    """Return the page with a security policy that lets the widget of the proof of work run, if the form has it."""
    if offered.is_under_attack:
        page.headers["Content-Security-Policy"] = policy(scripts=True, posts_lead_to=thank_you_pages.origins_of(shown))
    return page


def form_of_several(offered: OfferedNewsletters, tag: str) -> PublishedForm | None:
    """Return the form of several newsletters in this language, else the newest in any."""
    published = offered.several()
    suiting = tags.lookup([tag], list(published)) or next(reversed(published), None)
    return published[suiting] if suiting else None
