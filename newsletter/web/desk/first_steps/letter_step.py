"""The last step: a test letter to oneself, and what the first issue would hold."""

from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests import drafting, next_issue
from newsletter.content.digests.digests import Digest
from newsletter.content.digests.next_issue import NextIssue
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import NotFound, Refused
from newsletter.mail.mailings import issue_tests
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.first_steps import screens
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.site import ReadingSession

NOTICES = {"digest-added": "The digest is added. Last, see how a letter arrives."}

router = DeskRouter()


@router.page("/start/{slug}/letter", Role.EDITOR)
def letter_form(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the draft, or what the first issue would hold, and the button."""
    return _page(desk, session, desk.newsletter)


@router.action("/start/{slug}/letter", Role.EDITOR)
def send(desk: CurrentDesk, slug: str) -> Response:
    """Send the operator a test letter, and go on to Today: of the draft, of one drafted now, or else of no issue."""
    site, operator_id, now = desk.site, desk.operator.operator_id, desk.site.now()
    try:
        with site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            by: dict[str, Any] = {"operator_id": operator_id, "templates": site.templates, "now": now}
            by["base_url"] = site.settings.base_url
            if issue := _draft(session, newsletter, actor=desk.operator.actor, now=now):
                issue_tests.owe_test(session, issue, **by)
            else:
                issue_tests.owe_sample(session, newsletter, **by)
    except NotFound:
        raise
    except Refused as error:
        with site.database.reading() as session:
            return _page(desk, session, newsletters.named(session, slug), error=str(error), status=422)
    site.wakeups.wake(Queue.URGENT)
    return desk.done("", "test-sent")


def _draft(session: Session, newsletter: Newsletter, *, actor: str, now: datetime) -> Issue | None:
    """Return the newsletter's newest draft, or one of its digest that is drafted now; None if nothing is new."""
    found, digest = _newest_draft(session, newsletter), _digest(session, newsletter)
    if found or digest is None or not next_issue.preview(session, digest.id, now=now, newest=next_issue.NEWEST).chosen:
        return found
    return drafting.draft_now(session, digest.id, actor=actor, now=now)


def _newest_draft(session: Session, newsletter: Newsletter) -> Issue | None:
    drafts = select(Issue).where(Issue.newsletter_id == newsletter.id, Issue.status == IssueStatus.DRAFTED)
    return session.scalar(drafts.order_by(Issue.id.desc()).limit(1))


def _digest(session: Session, newsletter: Newsletter) -> Digest | None:
    active = select(Digest).where(Digest.newsletter_id == newsletter.id, Digest.active)
    return session.scalar(active.order_by(Digest.id).limit(1))


def _page(
    desk: Desk, session: Session, newsletter: Newsletter, *, error: str | None = None, status: int = 200
) -> HTMLResponse:
    digest, now = _digest(session, newsletter), desk.site.now()
    draft = _newest_draft(session, newsletter)
    would_hold: NextIssue | None = (
        next_issue.preview(session, digest.id, now=now, newest=next_issue.NEWEST) if digest and not draft else None
    )
    return desk.page(
        "first_steps/letter",
        status=status,
        notices=NOTICES,
        newsletter=newsletter,
        digest=digest,
        draft=draft,
        would_hold=would_hold,
        error=error,
        screens=screens.shown(newsletter.slug, "letter"),
    )
