"""How the status of an issue changes, and why it did, as the audit log tells."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from newsletter.errors import Refused

# The statuses from which an issue may change to each. An issue begins as drafted or skipped.
ALLOWED_FROM = {
    IssueStatus.DRAFTED: (IssueStatus.APPROVED,),
    IssueStatus.APPROVED: (IssueStatus.DRAFTED,),
    IssueStatus.SENDING: (IssueStatus.APPROVED, IssueStatus.PAUSED),
    IssueStatus.PAUSED: (IssueStatus.SENDING,),
    IssueStatus.SENT: (IssueStatus.SENDING,),
    IssueStatus.CANCELLED: (IssueStatus.DRAFTED, IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED),
}
VERBS = {IssueStatus.SENDING: "begun"}  # for the audit log, where the status's own name is not the verb
EXPIRED = "expired"  # for the audit log: cancelled, because nobody approved the draft in time


def begin_sending(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Begin to send an approved issue, or continue a paused one.

    Raises Refused before the issue's time and for any other status.
    """
    if issue.status is IssueStatus.APPROVED and issue.planned_at > now:
        raise Refused(
            f"Issue {issue.id} is scheduled for {issue.planned_at:%Y-%m-%d %H:%M} UTC and cannot be sent earlier."
        )
    change_status(session, issue, IssueStatus.SENDING, actor=actor, now=now)


def resume(
    session: Session, issue: Issue, *, actor: str, now: datetime, facts: Mapping[str, Any] | None = None
) -> None:
    """Continue a paused issue; `facts` are added to the audit log. Raises Refused for any other status."""
    if issue.status is not IssueStatus.PAUSED:
        raise Refused(f"Issue {issue.id} is {issue.status}; only a paused issue can be resumed.")
    change_status(session, issue, IssueStatus.SENDING, actor=actor, now=now, facts=facts)


def pause(session: Session, issue: Issue, *, actor: str, now: datetime, reason: str | None = None) -> None:
    """Pause an issue that is being sent; letters already sent are not affected.

    `reason` tells the operator what to repair. Raises Refused unless the issue is sending.
    """
    change_status(session, issue, IssueStatus.PAUSED, actor=actor, now=now, facts={"reason": reason} if reason else {})


def mark_sent(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Mark an issue sent, once all its deliveries are final. Raises Refused unless it is sending."""
    change_status(session, issue, IssueStatus.SENT, {"sent_at": now}, actor=actor, now=now)


def cancel(session: Session, issue: Issue, *, actor: str, now: datetime, reason: str | None = None) -> None:
    """Cancel an issue and free its articles for the next one. Raises Refused for a sent or a skipped issue."""
    facts = {"reason": reason} if reason else {}
    change_status(session, issue, IssueStatus.CANCELLED, actor=actor, now=now, facts=facts)
    _free_articles(session, issue)


def expire(session: Session, issue: Issue, *, reason: str, actor: str, now: datetime) -> bool:
    """Cancel a draft that nobody approved and free its articles; return False if it is no draft any more.

    Approval and expiry may come at the same time: the conditional UPDATE lets one of them pass.
    """
    try:
        change_status(
            session,
            issue,
            IssueStatus.CANCELLED,
            actor=actor,
            now=now,
            facts={"reason": reason},
            allowed_from=(IssueStatus.DRAFTED,),
            verb=EXPIRED,
        )
    except Refused:
        return False
    _free_articles(session, issue)
    return True


def cancellation_reason(session: Session, issue: Issue) -> str | None:
    """Return why a draft was cancelled without a person; None if a person cancelled it, or if it is not cancelled."""
    if issue.status is not IssueStatus.CANCELLED:
        return None
    subject = f"issue:{issue.id}"
    verbs = (f"issue {EXPIRED}", f"issue {IssueStatus.CANCELLED}")
    logged = (audit_log.last(session, subject=subject, verb=verb) for verb in verbs)
    return next((entry.fields.get("reason") for entry in logged if entry), None)


def pause_reason(session: Session, issue: Issue) -> str | None:
    """Return why a worker paused the issue; None if a person did, or if it is not paused."""
    if issue.status is not IssueStatus.PAUSED:
        return None
    paused = audit_log.last(session, subject=f"issue:{issue.id}", verb="issue paused")
    return paused.fields.get("reason") if paused else None


def change_status(
    session: Session,
    issue: Issue,
    to: IssueStatus,
    values: Mapping[str, Any] | None = None,
    *,
    actor: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
    allowed_from: tuple[IssueStatus, ...] | None = None,
    verb: str | None = None,
) -> None:
    """Change the status with one conditional UPDATE and log it; raise Refused if the stored status does not allow it.

    Of two transactions that try the same change, one is refused.
    """
    is_resumed = issue.status is IssueStatus.PAUSED and to is IssueStatus.SENDING
    verb = verb or ("resumed" if is_resumed else VERBS.get(to, to.value))
    allowed = update(Issue).where(Issue.id == issue.id, Issue.status.in_(allowed_from or ALLOWED_FROM[to]))
    changed = session.scalar(allowed.values(status=to, **(values or {})).returning(Issue.id))
    session.refresh(issue)
    if changed is None:
        reason = cancellation_reason(session, issue)
        because = f" ({reason})" if reason else ""
        raise Refused(f"Issue {issue.id} is {issue.status}{because}, so its status cannot change to {to}.")
    log_change(session, issue, verb, actor=actor, now=now, **(facts or {}))


def _free_articles(session: Session, issue: Issue) -> None:
    session.execute(update(IssueArticle).where(IssueArticle.issue_id == issue.id).values(digest_id=None))


def log_change(session: Session, issue: Issue, verb: str, *, actor: str, now: datetime, **facts: Any) -> None:
    """Add a change of an issue to the audit log."""
    audit_log.record(
        session,
        actor=actor,
        verb=f"issue {verb}",
        subject=f"issue:{issue.id}",
        newsletter_id=issue.newsletter_id,
        now=now,
        **facts,
    )
