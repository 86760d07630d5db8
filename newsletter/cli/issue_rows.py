"""Issues as the commands about them show them: as rows of JSON, and in words."""

from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.content.digests import expiry
from newsletter.content.issues import issue_notes, transitions
from newsletter.content.issues.issues import Issue
from newsletter.errors import NotFound
from newsletter.mail.delivery.deliveries import status_counts
from newsletter.mail.letters.letters import Letter
from newsletter.newsletters import Newsletter

IssueArgument = Annotated[int, typer.Argument(min=1, max=2**62, help="The issue's id, as `issues status` lists it.")]


def named(session: Session, number: int) -> Issue:
    """Return the issue with this id. Raises NotFound if there is none."""
    if issue := session.get(Issue, number):
        return issue
    raise NotFound(f"There is no issue {number}.")


def row(issue: Issue) -> dict[str, Any]:
    """Return what names an issue, and its status."""
    return {"issue": issue.id, "number": issue.number, "status": issue.status.value, "title": issue.title}


def shortened(headlines: dict[str, int]) -> list[str]:
    """Return what an operator should know about letters with headlines alone, by language."""
    lines = []
    for number in sorted(set(headlines.values())):
        tags = ", ".join(tag for tag, each in headlines.items() if each == number)
        lines.append(
            f"In the HTML ({tags}) the last {number} articles are headlines only, because Gmail hides the end of a "
            "longer letter; the text part has all excerpts."
        )
    return lines


def approval_note(session: Session, issue: Issue) -> str | None:
    """Return what an operator who looks at the issue should know about its approval."""
    return transitions.cancellation_reason(session, issue) or _approval(expiry.deadline(session, issue))


def _approval(until: datetime | None) -> str | None:
    return f"waits for approval until {until:%Y-%m-%d %H:%M} UTC; then its articles are free again" if until else None


def notes(session: Session, issue: Issue) -> list[dict[str, Any]]:
    """Return what publishers changed or withdrew since the draft."""
    zone = session.get_one(Newsletter, issue.newsletter_id).zone
    return [
        {
            "article": note.article_id,
            "title": note.title,
            "change": note.change.name.lower(),
            "note": note.change.value,
            "at": templating.local(note.at, zone),
        }
        for note in issue_notes.of_issue(session, issue)
    ]


def note_line(note: dict[str, Any]) -> str:
    """Return such a note in words."""
    return f"“{note['title']}” {note['note']} ({note['at']:%Y-%m-%d %H:%M})."


def counts(session: Session, issue: Issue) -> dict[str, Any]:
    """Return the audience and the deliveries by status; the audience is None before the letter exists."""
    letter = session.scalar(select(Letter).where(Letter.issue_id == issue.id))
    if letter is None:
        return {"audience": None}
    return {"audience": letter.audience, **{status.value: n for status, n in status_counts(session, letter.id).items()}}


def line(shown: dict[str, Any]) -> str:
    """Return an issue with its deliveries in words."""
    head = f"{shown['issue']:>5}  {shown['status']:<9}  {shown['title']}"
    head += "".join(
        f"\n       {more}" for more in [shown["reason"], _approval(shown["approve_until"]), *shown["relays"]] if more
    )
    if shown["audience"] is None:
        return head
    other = ("issue", "number", "status", "title", "reason", "approve_until", "relays", "audience")
    by_status = {name: n for name, n in shown.items() if name not in other}
    terms = " + ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in by_status.items() if n) or "0"
    return f"{head}\n       audience {shown['audience']:,} = {terms}"
