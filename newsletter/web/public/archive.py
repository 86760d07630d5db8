"""The archive: sent issues as pages without personal data, and their pictures."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.articles.picture_files import Picture
from newsletter.content.issues import issues
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.web.guards import route_rules
from newsletter.web.site import CurrentSite, ReadingSession

IssueNumber = Annotated[int, Path(ge=1, lt=2**31)]
SHA256 = re.compile(r"[0-9a-f]{64}")
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
# Also issues that are being sent, so that "Read in the browser" works for the first reader.
SHOWN = (IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT)

router = APIRouter()


@router.get("/archive")
@route_rules(public=True)
def index(site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """List every newsletter with its newest issue."""
    every = newsletters.every(session)
    rows = [
        {"slug": each.slug, "name": each.name, "zone": each.zone, "language": each.language, "latest": newest}
        for each in every
        for newest in [next(iter(_sent(session, each, limit=1)), None)]
    ]
    return site.page("archive", publisher=every[0].publisher if every else None, newsletters=rows)


@router.get("/archive/{slug}")
@route_rules(public=True)
def newsletter_page(slug: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """List a newsletter's issues, newest first."""
    newsletter = newsletters.named(session, slug)
    return site.page("archive_newsletter", newsletter=newsletter, issues=_sent(session, newsletter))


@router.get("/archive/{slug}/{number}")
@route_rules(public=True)
def issue_page(slug: str, number: IssueNumber, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show one issue."""
    newsletter = newsletters.named(session, slug)
    issue = session.scalar(
        select(Issue).where(Issue.newsletter_id == newsletter.id, Issue.number == number, Issue.status.in_(SHOWN))
    )
    if issue is None:
        raise NotFound(f"There is no issue {number} of “{slug}” in the archive.")
    shown: dict[str, Any] = {
        "number": issue.number,
        "title": issue.title,
        "sent_at": issue.sent_at or issue.approved_at,
        "articles": issues.edition(session, issue).articles,
    }
    return site.page("archive_issue", newsletter=newsletter, issue=shown)


@router.get("/pictures/{name}")
@route_rules(public=True)
def picture(name: str, session: ReadingSession) -> Response:
    """Serve an article's picture from our own host, so that the reader's IP address reaches no third party."""
    sha256 = name.partition(".")[0]
    stored = session.get(Picture, sha256) if SHA256.fullmatch(sha256) else None
    if stored is None:
        raise NotFound
    return Response(stored.body, media_type=stored.type, headers=FOREVER)


def latest(session: Session, newsletter: Newsletter) -> dict[str, Any] | None:
    """Return the URL and headlines of the newest issue, for the sign-up page; None if no issue was sent."""
    newest = next(iter(_sent(session, newsletter, limit=1)), None)
    if newest is None:
        return None
    titles = [article.title for article in issues.edition(session, newest).articles]
    return {"url": f"/archive/{newsletter.slug}/{newest.number}", "titles": titles}


def _sent(session: Session, newsletter: Newsletter, *, limit: int = 200) -> list[Issue]:
    sent = select(Issue).where(Issue.newsletter_id == newsletter.id, Issue.status == IssueStatus.SENT)
    return list(session.scalars(sent.order_by(Issue.number.desc()).limit(limit)))
