"""The feeds of a newsletter's issues, for readers who do not want mail."""

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from newsletter.appearance import static_files
from newsletter.content.issues import issues
from newsletter.content.issues.editions import Edition
from newsletter.content.issues.issues import Issue
from newsletter.newsletters import Newsletter
from newsletter.web.guards import route_rules
from newsletter.web.public.issues import shown_issues
from newsletter.web.public.issues.feed_documents import ATOM, JSON_FEED, FeedDocument, FeedItem, atom, json_feed
from newsletter.web.public.page_descriptions import FeedLink
from newsletter.web.site import CurrentSite, ReadingSession, Site

ITEMS = 20
FORMATS = {"feed.atom": ATOM, "feed.json": JSON_FEED}

router = APIRouter()


@router.get("/archive/{slug}/feed.atom")
@route_rules(public=True)
def atom_feed(slug: str, site: CurrentSite, session: ReadingSession) -> Response:
    """Serve the newest issues as Atom."""
    newsletter = site.offered.newsletter(slug)
    body = atom(_document(site, session, newsletter), own_url=_url(site, newsletter, "feed.atom"))
    return Response(body, media_type=ATOM, headers={"Content-Language": newsletter.language})


@router.get("/archive/{slug}/feed.json")
@route_rules(public=True)
def json_feed_of_issues(slug: str, site: CurrentSite, session: ReadingSession) -> Response:
    """Serve the newest issues as JSON Feed."""
    newsletter = site.offered.newsletter(slug)
    content = json_feed(_document(site, session, newsletter), own_url=_url(site, newsletter, "feed.json"))
    return JSONResponse(content, media_type=JSON_FEED, headers={"Content-Language": newsletter.language})


def links(site: Site, newsletter: Newsletter) -> list[FeedLink]:
    """Return the newsletter's feeds, for the heads of its pages."""
    return [FeedLink(kind, _url(site, newsletter, name), newsletter.name) for name, kind in FORMATS.items()]


def described(edition: Edition, *, headlines: int) -> str:
    """Return what an issue is about on one line: its introduction, else its first headlines."""
    return edition.introduction[0] if edition.introduction else _listed(a.title for a in edition.articles[:headlines])


def _listed(titles: Iterable[str]) -> str:
    return " · ".join(titles)


def _url(site: Site, newsletter: Newsletter, name: str) -> str:
    return f"{site.settings.base_url}/archive/{newsletter.slug}/{name}"


def _document(site: Site, session: Session, newsletter: Newsletter) -> FeedDocument:
    base_url = site.settings.base_url
    sent = shown_issues.sent(session, newsletter, limit=ITEMS)
    return FeedDocument(
        title=newsletter.name,
        subtitle=newsletter.description,
        publisher=newsletter.publisher,
        language=newsletter.language,
        page_url=f"{base_url}/archive/{newsletter.slug}",
        icon_url=base_url + static_files.icon(newsletter.brand),
        created_at=newsletter.created_at,
        items=[_item(site, newsletter, issue, issues.edition(session, issue, base_url=base_url)) for issue in sent],
    )


def _item(site: Site, newsletter: Newsletter, issue: Issue, edition: Edition) -> FeedItem:
    template = site.templates(newsletter.language).get_template("feeds/issue.html")
    pictures = (article.picture.url for article in edition.articles if article.picture)
    return FeedItem(
        url=f"{site.settings.base_url}/archive/{newsletter.slug}/{issue.number}",
        title=issue.title,
        summary=described(edition, headlines=len(edition.articles)),
        html=template.render(newsletter=newsletter, edition=edition),
        image=next(pictures, None),
        published_at=shown_issues.day(issue, newsletter),
        updated_at=issue.sent_at or issue.planned_at,
    )
