"""The page of one issue: where it stands, what readers get, what prevents sending it, and how far its letters are."""

from collections.abc import Mapping

from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.consent.counts.day_counts import DayCounts
from newsletter.content.digests import expiry
from newsletter.content.digests.digests import Digest
from newsletter.content.issues import editions, issue_notes, issues, transitions
from newsletter.content.issues.editions import Edition
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.languages.languages import english_name, own_name
from newsletter.mail.delivery import delivery_counts
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace import notices
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk import changes
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.issues import delivery_table, laid_out, standing
from newsletter.web.site import ReadingSession

NOTICES = {
    "drafted": "The issue is drafted. Look at it, then approve it.",
    "changed": "The texts are changed.",
    "returned": "The texts are changed, and the issue is a draft again. It must be approved before it is sent.",
    "same": "Nothing was changed: the texts are like that already.",
    "approved": "The issue is approved.",
    "scheduled": "The issue is approved for this time.",
    "scheduled-twice": (
        "The issue is approved for this time. The clocks are set back on that day, and the time comes twice: it leaves "
        "at the first."
    ),
    "sent": "The issue is approved, and leaves within seconds.",
    "unscheduled": "The approval is taken back. The issue is a draft again and is not sent.",
    "paused": "The issue is paused. Letters that are out stay out, and the others wait.",
    "resumed": "The issue is resumed. Nobody gets a letter twice.",
    "cancelled": "The issue is cancelled. Its articles may appear in the next issue.",
    "tested": "A test letter is on its way to your own address.",
    "already": "That was done already. Nothing was done twice.",
}

router = DeskRouter()


@router.page("/issues/{issue_id}", Role.VIEWER)
def issue_page(issue_id: int, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the issue."""
    return render(desk, session, session.get_one(Issue, issue_id))


def render(
    desk: Desk,
    session: Session,
    issue: Issue,
    *,
    status: int | None = None,
    problem: str | None = None,
    errors: Mapping[str, str] | None = None,
    entered: str | None = None,
) -> HTMLResponse:
    """Return the page; `problem` says why an action was refused, `errors` what is wrong in a field."""
    site, operator = desk.site, desk.operator
    newsletter, edition = session.get_one(Newsletter, issue.newsletter_id), issues.edition(session, issue)
    sha = editions.content_hash(edition, newsletter)
    letters = laid_out.of(session, site, issue, newsletter=newsletter, edition=edition, sha=sha)
    letter = session.scalar(select(Letter).where(Letter.issue_id == issue.id))
    is_sending = issue.status is IssueStatus.SENDING
    return desk.page(
        "issues/issue",
        status=status,
        notices=NOTICES,
        issue=issue,
        newsletter=newsletter,
        digest=session.get(Digest, issue.digest_id) if issue.digest_id else None,
        edition=edition,
        sha=sha,
        differs=_differs(issue, edition, sha),
        letters=letters,
        languages=[(tag, own_name(tag)) for tag in letters.letters],
        spoken=[english_name(tag) for tag in newsletter.languages],
        tag=standing.TAGS[issue.status],
        steps=standing.steps(issue),
        deadline=expiry.deadline(session, issue),
        readers=_readers(session, newsletter),
        letter=letter,
        table=delivery_table.of(delivery_counts.of_issues(session, [issue.id]).get(issue.id), letter),
        relays=notices.current(session, now=site.now()) if is_sending and operator.may(Role.VIEWER) else [],
        reason=transitions.pause_reason(session, issue) or transitions.cancellation_reason(session, issue),
        notes=issue_notes.of_issue(session, issue),
        history=changes.of(session, newsletter, f"issue:{issue.id}", limit=30),
        may_edit=operator.may(Role.EDITOR, newsletter.id),
        may_publish=operator.may(Role.PUBLISHER, newsletter.id),
        problem=problem,
        errors=errors,
        entered=entered,
    )


def _differs(issue: Issue, edition: Edition, sha: str) -> bool:
    """Whether an approved issue will not be sent, because it is not what a person approved any more."""
    if issue.status is not IssueStatus.APPROVED or issue.actor == audit_log.SCHEDULER:
        return False
    return issue.approved_sha not in (sha, editions.former_content_hash(edition))


def _readers(session: Session, newsletter: Newsletter) -> DayCounts | None:
    newest = select(DayCounts).where(DayCounts.newsletter_id == newsletter.id).order_by(DayCounts.day.desc())
    return session.scalar(newest.limit(1))
