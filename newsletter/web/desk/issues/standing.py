"""Where an issue stands, in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from newsletter.content.issues.issues import Issue, IssueStatus


class StateTag(NamedTuple):
    """A status in one to three words, and the class of its shape."""

    words: str
    kind: str = ""


TAGS: Mapping[IssueStatus, StateTag] = {
    IssueStatus.DRAFTED: StateTag("Waits for approval", "warn"),
    IssueStatus.APPROVED: StateTag("Approved", "good"),
    IssueStatus.SENDING: StateTag("Leaving", "now"),
    IssueStatus.PAUSED: StateTag("Paused", "warn"),
    IssueStatus.SENT: StateTag("Sent", "good"),
    IssueStatus.CANCELLED: StateTag("Cancelled"),
    IssueStatus.SKIPPED: StateTag("Skipped: nothing new"),
}
# What an action that came too late is told.
BY_NOW: Mapping[IssueStatus, str] = {
    IssueStatus.DRAFTED: "a draft",
    IssueStatus.APPROVED: "approved",
    IssueStatus.SENDING: "leaving already",
    IssueStatus.PAUSED: "paused",
    IssueStatus.SENT: "sent already",
    IssueStatus.CANCELLED: "cancelled",
    IssueStatus.SKIPPED: "skipped, because there was nothing new",
}


class WayStep(NamedTuple):
    """A step on the way of an issue."""

    words: str
    at: datetime | None = None  # when it was taken, or is planned
    is_current: bool = False


def steps(issue: Issue) -> list[WayStep]:
    """Return the way from draft to sent, with the step at which the issue stands; none for one that was skipped."""
    if issue.status is IssueStatus.SKIPPED:
        return []
    status, has_left = issue.status, issue.status in (IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT)
    last = WayStep("Sent", issue.sent_at, is_current=status is IssueStatus.SENT)
    if status is IssueStatus.CANCELLED:
        last = WayStep("Cancelled", is_current=True)
    leaving = WayStep("Leaving", None if has_left else issue.due_at, is_current=status is IssueStatus.SENDING)
    if status is IssueStatus.PAUSED:
        leaving = WayStep("Paused", is_current=True)
    return [
        WayStep("Draft", issue.drafted_at, is_current=status is IssueStatus.DRAFTED),
        WayStep("Approved", issue.approved_at, is_current=status is IssueStatus.APPROVED),
        leaving,
        last,
    ]
