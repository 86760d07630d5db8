"""newsletter issues approve, schedule, unschedule, send, pause, resume, cancel: whether an issue leaves, and when."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, local_times, templating
from newsletter.cli import console, issue_rows
from newsletter.cli.issue_rows import IssueArgument
from newsletter.content.issues import approvals, transitions
from newsletter.content.issues.issues import Issue
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.mailings import issue_layout
from newsletter.newsletters import Newsletter


def approve(
    number: IssueArgument,
    sha: Annotated[
        str | None, typer.Option(help="Refuse if the content is another than the one that `issues check` named.")
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Approve a draft for the time that is planned; without one, or if it has passed, it is sent at once."""
    answer = _approve(number, partial(approvals.approve, sha=sha))
    text = f"Issue {number} is approved. Follow it: newsletter issues status {number}"
    console.show(answer, as_json=as_json, text=text)


def schedule(
    number: IssueArgument,
    at: Annotated[str, typer.Argument(help='A time in the newsletter\'s zone: "2026-12-05 09:00".')],
    sha: Annotated[str | None, typer.Option(help="As for `issues approve`.")] = None,
    as_json: console.Json = False,
) -> None:
    """Approve a draft for a time, or move the time of an approved issue."""

    def change(session: Session, issue: Issue, **by: Any) -> None:
        zone = session.get_one(Newsletter, issue.newsletter_id).zone
        approvals.schedule(session, issue, due_at=local_times.instant(at, zone, field="at"), sha=sha, **by)

    answer = _approve(number, change)
    console.show(answer, as_json=as_json, text=f"Issue {number} is approved for {at}.")


def unschedule(number: IssueArgument, as_json: console.Json = False) -> None:
    """Make an approved issue a draft again, before sending begins."""
    answer = apply(number, approvals.unschedule)
    console.show(answer, as_json=as_json, text=f"Issue {number} is a draft again and is not sent.")


def send(number: IssueArgument, as_json: console.Json = False) -> None:
    """Approve a draft, or take an approved issue's time forward; the workers then send it."""
    answer = _approve(number, approvals.send_now)
    text = f"Issue {number} is approved; sending starts within seconds. Follow it: newsletter issues status {number}"
    console.show(answer, as_json=as_json, text=text)


def pause(number: IssueArgument, as_json: console.Json = False) -> None:
    """Pause an issue that is being sent. Letters already sent stay sent."""
    answer = apply(number, transitions.pause)
    text = f"Issue {number} is paused. Resume it: newsletter issues resume {number}"
    console.show(answer, as_json=as_json, text=text)


def resume(number: IssueArgument, as_json: console.Json = False) -> None:
    """Resume a paused issue. Letters recorded as sent are not sent again."""
    answer = apply(number, issue_pauses.resume)
    console.show(answer, as_json=as_json, text=f"Issue {number} is resumed; sending starts within seconds.")


def cancel(number: IssueArgument, as_json: console.Json = False) -> None:
    """Cancel an issue. Its unsent letters are never sent, and its articles may appear in the next issue."""
    answer = apply(number, transitions.cancel)
    text = f"Issue {number} is cancelled; its articles may appear in the next issue."
    console.show(answer, as_json=as_json, text=text)


def apply(number: int, change: Callable[..., None]) -> dict[str, Any]:
    """Change an issue, in the name of the user who runs the command."""
    with console.database() as database, database.writing() as session:
        issue = issue_rows.named(session, number)
        change(session, issue, actor=audit_log.system_user(), now=clock.now())
        return issue_rows.row(issue)


def _approve(number: int, change: Callable[..., None]) -> dict[str, Any]:
    """Approve an issue, if its letter can be sent."""
    settings = console.configured()

    def checked(session: Session, issue: Issue, **by: Any) -> None:
        change(session, issue, **by)
        issue_layout.check(session, issue, templates=templating.environment, base_url=settings.base_url)

    return apply(number, checked)
