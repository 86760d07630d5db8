"""Cancel an issue, after a page that says what is lost and what stays."""

from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select

from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.content.issues.transitions import ALLOWED_FROM
from newsletter.mail.delivery import delivery_counts
from newsletter.mail.letters.letters import Letter
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.issues import decisions, delivery_table, standing
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/issues/{issue_id}/cancel", Role.PUBLISHER)
def cancelling_page(issue_id: int, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Ask whether to cancel the issue."""
    issue = session.get_one(Issue, issue_id)
    letter = session.scalar(select(Letter).where(Letter.issue_id == issue.id))
    return desk.page(
        "issues/cancel",
        issue=issue,
        newsletter=session.get_one(Newsletter, issue.newsletter_id),
        letter=letter,
        table=delivery_table.of(delivery_counts.of_issues(session, [issue.id]).get(issue.id), letter),
        is_possible=issue.status in ALLOWED_FROM[IssueStatus.CANCELLED],
        by_now=standing.BY_NOW[issue.status],
    )


@router.action("/issues/{issue_id}/cancel", Role.PUBLISHER)
def cancel(issue_id: int, desk: CurrentDesk) -> Response:
    """Cancel the issue."""
    return decisions.decide(desk, issue_id, transitions.cancel, "cancelled", done_in=(IssueStatus.CANCELLED,))
