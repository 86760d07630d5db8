"""What a publisher decides about an issue: approve, schedule, take back, send, pause and resume.

Each is one conditional change, so pressing twice does nothing twice. The second time the page says that it was done.
"""

from collections.abc import Callable
from typing import Any

from fastapi.responses import Response
from sqlalchemy.orm import Session

from newsletter import local_times
from newsletter.content.issues import approvals, editions, issues, transitions
from newsletter.content.issues.approvals import ContentChanged
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import Malformed, Refused
from newsletter.mail.delivery import issue_pauses
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.failures import status_of
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.issues import issue_page, laid_out, standing

APPROVED = (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.SENT)
BEGUN = (IssueStatus.SENDING, IssueStatus.SENT)

Change = Callable[..., None]  # of an issue in a session, by an actor

router = DeskRouter()


@router.action("/issues/{issue_id}/approve", Role.PUBLISHER)
def approve(issue_id: int, desk: CurrentDesk, form: PostedForm) -> Response:
    """Approve what was shown for the time that is planned."""
    sha = forms.text(form, "sha")
    if answer := unfit(desk, issue_id):
        return answer
    return decide(desk, issue_id, approvals.approve, "approved", done_in=APPROVED, sha=sha)


@router.action("/issues/{issue_id}/schedule", Role.PUBLISHER)
def schedule(issue_id: int, desk: CurrentDesk, form: PostedForm) -> Response:
    """Approve what was shown for another time, or move the time of an approved issue."""
    sha, entered = forms.text(form, "sha"), forms.text(form, "due_at")
    try:
        due_at = local_times.instant(entered, desk.operator.zone, field="due_at")
    except Malformed as error:
        return _again(desk, issue_id, error, entered=entered)
    if answer := unfit(desk, issue_id):
        return answer
    done = "scheduled-twice" if local_times.comes_twice(due_at, desk.operator.zone) else "scheduled"
    return decide(desk, issue_id, approvals.schedule, done, entered=entered, sha=sha, due_at=due_at)


@router.action("/issues/{issue_id}/send", Role.PUBLISHER)
def send(issue_id: int, desk: CurrentDesk, form: PostedForm) -> Response:
    """Approve what was shown, or move the time of an approved issue, so that it leaves at once."""
    sha = forms.text(form, "sha")
    if answer := unfit(desk, issue_id):
        return answer
    return decide(desk, issue_id, approvals.send_now, "sent", done_in=BEGUN, sha=sha)


@router.action("/issues/{issue_id}/unschedule", Role.PUBLISHER)
def unschedule(issue_id: int, desk: CurrentDesk) -> Response:
    """Take the approval back, before sending begins."""
    return decide(desk, issue_id, approvals.unschedule, "unscheduled", done_in=(IssueStatus.DRAFTED,))


@router.action("/issues/{issue_id}/pause", Role.PUBLISHER)
def pause(issue_id: int, desk: CurrentDesk) -> Response:
    """Pause an issue that is leaving."""
    return decide(desk, issue_id, transitions.pause, "paused", done_in=(IssueStatus.PAUSED,))


@router.action("/issues/{issue_id}/resume", Role.PUBLISHER)
def resume(issue_id: int, desk: CurrentDesk) -> Response:
    """Resume a paused issue."""
    return decide(desk, issue_id, issue_pauses.resume, "resumed", done_in=BEGUN)


def decide(
    desk: Desk,
    issue_id: int,
    change: Change,
    done: str,
    *,
    done_in: tuple[IssueStatus, ...] = (),
    entered: str | None = None,
    **values: Any,
) -> Response:
    """Change the issue and lead to its page; if that is refused, show the page with the reason.

    `done_in` are the statuses in which the change is not refused, but was made already.
    """
    try:
        with desk.site.database.writing() as session:
            issue = session.get_one(Issue, issue_id)
            change(session, issue, actor=desk.operator.actor, now=desk.site.now(), **values)
    except Refused as error:
        return _again(desk, issue_id, error, done_in=done_in, entered=entered)
    desk.site.wakeups.wake(Queue.BULK)
    return desk.done(f"/issues/{issue_id}", done)


def unfit(desk: Desk, issue_id: int) -> Response | None:
    """Return the page that says why the letters of an issue cannot be sent; None if they can."""
    with desk.site.database.reading() as session:
        issue = session.get_one(Issue, issue_id)
        if issue.status is not IssueStatus.DRAFTED:
            return None
        problems = _problems(session, desk, issue)
        if not problems:
            return None
        return issue_page.render(desk, session, issue, status=status_of(Refused()), problem=problems[0])


def _problems(session: Session, desk: Desk, issue: Issue) -> tuple[str, ...]:
    newsletter, edition = session.get_one(Newsletter, issue.newsletter_id), issues.edition(session, issue)
    sha = editions.content_hash(edition, newsletter)
    return laid_out.of(session, desk.site, issue, newsletter=newsletter, edition=edition, sha=sha).problems


def _again(
    desk: Desk,
    issue_id: int,
    error: Refused,
    *,
    done_in: tuple[IssueStatus, ...] = (),
    entered: str | None = None,
) -> Response:
    with desk.site.database.reading() as session:
        issue = session.get_one(Issue, issue_id)
        if issue.status in done_in:
            return desk.done(f"/issues/{issue_id}", "already")
        status = status_of(error)
        if isinstance(error, Malformed):
            errors = {error.field: str(error)}
            return issue_page.render(desk, session, issue, status=status, errors=errors, entered=entered)
        by_now = f"Nothing was changed: the issue is {standing.BY_NOW[issue.status]}."
        problem = str(error) if isinstance(error, ContentChanged) else by_now
        return issue_page.render(desk, session, issue, status=status, problem=problem)
