"""The archive: sent issues as pages without personal data, and their pictures."""

import re
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.articles.picture_files import Picture
from newsletter.content.issues import headings, issues
from newsletter.content.issues.editions import Edition, Image
from newsletter.content.issues.issues import Issue
from newsletter.errors import NotFound
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable, translatable
from newsletter.newsletters import Newsletter
from newsletter.web import negotiation
from newsletter.web.guards import SAME_ORIGIN, route_rules
from newsletter.web.public.forms import thank_you_pages
from newsletter.web.public.forms.hosted_forms import hosted_form
from newsletter.web.public.issues import issue_feeds, shown_issues
from newsletter.web.public.page_descriptions import describe
from newsletter.web.public.static_files import FOREVER
from newsletter.web.site import CurrentSite, ReadingSession, Site

IssueNumber = Annotated[int, Path(ge=1, lt=2**31)]
Before = Annotated[int | None, Query(ge=1, lt=2**31)]
SHA256 = re.compile(r"[0-9a-f]{64}")
ABOUT = translatable("Read past letters before you subscribe, or if you have lost one.")
HEADLINES_IN_DESCRIPTION = 3

router = APIRouter()


@router.get("/archive")
@route_rules(public=True)
def index(request: Request, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """List every newsletter with its newest issue."""
    every = newsletters.every(session)
    languages = negotiation.offered_in_any(every)
    shown = negotiation.choices(request, f"{site.root}/archive", languages)
    tag = shown["tag"]
    rows = [
        {"slug": each.slug, "name": each.name, "language": each.language, "latest": issue and _row(site, issue, each)}
        for each in every
        for issue in [shown_issues.newest(session, each)]
    ]
    address = f"{site.settings.base_url}/archive"
    return site.page(
        "archive",
        **shown,
        among=every,
        newsletters=rows,
        page_description=describe(
            address, tag=tag, languages=languages or [tag], description=language(tag).text(ABOUT)
        ),
    )


@router.get("/archive/{slug}")
@route_rules(public=True, referrer=SAME_ORIGIN)
def newsletter_page(
    slug: str, request: Request, site: CurrentSite, session: ReadingSession, before: Before = None
) -> HTMLResponse:
    """List a newsletter's issues, newest first; with `before`, those with a smaller number."""
    newsletter = site.offered.newsletter(slug)
    sent = shown_issues.sent(session, newsletter, limit=shown_issues.PER_PAGE + 1, before=before)
    page, rest = sent[: shown_issues.PER_PAGE], sent[shown_issues.PER_PAGE :]
    path = f"/archive/{slug}"
    return _page(
        site,
        request,
        "archive_newsletter",
        newsletter,
        path=f"{path}?before={before}" if before else path,
        description=newsletter.description
        or translatable("Past letters of %(newsletter)s", newsletter=newsletter.name),
        issues=[_row(site, issue, newsletter) for issue in page],
        older=page[-1].number if rest else None,
        is_newest=before is None,
    )


@router.get("/archive/{slug}/{number}")
@route_rules(public=True, scripts=True, referrer=SAME_ORIGIN)
def issue_page(
    slug: str, number: IssueNumber, request: Request, site: CurrentSite, session: ReadingSession
) -> HTMLResponse:
    """Show one issue."""
    newsletter = site.offered.newsletter(slug)
    issue = shown_issues.numbered(session, newsletter, number)
    edition = issues.edition(session, issue, base_url=site.root)
    tag = negotiation.language_of(request, newsletter.languages)
    neighbors = shown_issues.neighbors(session, newsletter, number)
    previous, following = (other and _row(site, other, newsletter) for other in neighbors)
    return _page(
        site,
        request,
        "archive_issue",
        newsletter,
        path=f"/archive/{slug}/{number}",
        description=issue_feeds.described(edition, headlines=HEADLINES_IN_DESCRIPTION),
        kind="article",
        image=_lead_picture(edition, site.settings.site_origin),
        issue=_row(site, issue, newsletter),
        heading=headings.heading(edition, newsletter, issue.planned_at, language(tag)),
        edition=edition,
        previous=previous,
        following=following,
    )


@router.get("/pictures/{name}")
@route_rules(public=True)
def picture(name: str, session: ReadingSession) -> Response:
    """Serve an article's picture from our own host, so that the reader's IP address reaches no third party."""
    sha256 = name.partition(".")[0]
    stored = session.get(Picture, sha256) if SHA256.fullmatch(sha256) else None
    if stored is None:
        raise NotFound
    return Response(stored.body, media_type=stored.type, headers=FOREVER)


def latest(site: Site, session: Session, newsletter: Newsletter) -> dict[str, Any] | None:
    """Return the URL and headlines of the newest issue, for the sign-up page; None if no issue was sent."""
    newest = shown_issues.newest(session, newsletter)
    if newest is None:
        return None
    titles = [article.title for article in issues.edition(session, newest).articles]
    return {"url": f"{site.root}/archive/{newsletter.slug}/{newest.number}", "titles": titles}


def _row(site: Site, issue: Issue, newsletter: Newsletter) -> dict[str, Any]:
    return {
        "number": issue.number,
        "url": f"{site.root}/archive/{newsletter.slug}/{issue.number}",
        "title": issue.title,
        "day": shown_issues.day(issue, newsletter),
    }


def _lead_picture(edition: Edition, origin: str) -> Image | None:
    """Return the first picture, with an absolute URL: other sites show it beside a link to the page."""
    first = next((article.picture for article in edition.articles if article.picture), None)
    return replace(first, url=origin + first.url) if first else None


def _page(
    site: Site,
    request: Request,
    name: str,
    newsletter: Newsletter,
    *,
    path: str,
    description: Translatable | str,
    kind: str = "website",
    image: Image | None = None,
    **context: Any,
) -> HTMLResponse:
    """Render a page about a newsletter in the visitor's language, with what other sites learn about it."""
    languages = newsletter.languages
    shown = negotiation.choices(request, site.root + path, languages)
    tag = shown["tag"]
    thank_you_pages.allow(request, [newsletter])
    return site.page(
        name,
        **shown,
        newsletter=newsletter,
        hosted_form=hosted_form(site, newsletter, tag),
        page_description=describe(
            site.settings.base_url + path,
            tag=tag,
            languages=languages,
            description=language(tag).text(description),
            kind=kind,
            image=image,
            feeds=issue_feeds.links(site, newsletter),
        ),
        **context,
    )
