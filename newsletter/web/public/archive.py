"""The archive: issues that were sent, as pages without anybody's name on them, and their pictures."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content import issues
from newsletter.content.issues import Issue, IssueStatus
from newsletter.content.pictures import Picture
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.web.guards import allow
from newsletter.web.site import Here, Reading

IssueNumber = Annotated[int, Path(ge=1, lt=2**31)]
SHA256 = re.compile(r"[0-9a-f]{64}")
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter()


@router.get("/archive")
@allow(public=True)
def index(here: Here, session: Reading) -> HTMLResponse:
    """Every newsletter with its newest issue."""
    every = newsletters.every(session)
    rows = [
        {"slug": each.slug, "name": each.name, "zone": each.zone, "language": each.language, "latest": newest}
        for each in every
        for newest in [next(iter(_sent(session, each, limit=1)), None)]
    ]
    return here.page("archive", publisher=every[0].publisher if every else None, newsletters=rows)


@router.get("/archive/{slug}")
@allow(public=True)
def of_newsletter(slug: str, here: Here, session: Reading) -> HTMLResponse:
    """A newsletter's issues, newest first."""
    newsletter = newsletters.named(session, slug)
    return here.page("archive_newsletter", newsletter=newsletter, issues=_sent(session, newsletter))


@router.get("/archive/{slug}/{number}")
@allow(public=True)
def of_issue(slug: str, number: IssueNumber, here: Here, session: Reading) -> HTMLResponse:
    """One issue as a page."""
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
    return here.page("archive_issue", newsletter=newsletter, issue=shown)


@router.get("/pictures/{name}")
@allow(public=True)
def picture(name: str, session: Reading) -> Response:
    """A picture of an article, from our own house: its reader's address reaches no third party."""
    sha256 = name.partition(".")[0]
    found = session.get(Picture, sha256) if SHA256.fullmatch(sha256) else None
    if found is None:
        raise NotFound
    return Response(found.body, media_type=found.type, headers=FOREVER)


SHOWN = (
    IssueStatus.SENDING,
    IssueStatus.PAUSED,
    IssueStatus.SENT,
)  # a letter's "read in the browser" works from its first reader on


def latest(session: Session, newsletter: Newsletter) -> dict[str, Any] | None:
    """The newest issue's address and headlines, to look at before signing up."""
    newest = next(iter(_sent(session, newsletter, limit=1)), None)
    if newest is None:
        return None
    titles = [article.title for article in issues.edition(session, newest).articles]
    return {"url": f"/archive/{newsletter.slug}/{newest.number}", "titles": titles}


def _sent(session: Session, newsletter: Newsletter, *, limit: int = 200) -> list[Issue]:
    sent = select(Issue).where(Issue.newsletter_id == newsletter.id, Issue.status == IssueStatus.SENT)
    return list(session.scalars(sent.order_by(Issue.number.desc()).limit(limit)))
