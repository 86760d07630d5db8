"""newsletter issues: draft, look at, send and follow an issue."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, newsletters, templating
from newsletter.cli import console
from newsletter.content import issues
from newsletter.content.digests import drafting
from newsletter.content.issues import Issue
from newsletter.errors import NotFound
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.delivery.deliveries import status_counts
from newsletter.mail.letters.letters import Letter
from newsletter.mail.mailings import issue_letters
from newsletter.mail.pace import notices

app = typer.Typer(help="Issues: dated editions of a newsletter.", no_args_is_help=True, rich_markup_mode=None)

IssueArgument = Annotated[int, typer.Argument(min=1, max=2**62, help="The issue's id, as `issues status` lists it.")]


@app.command()
def draft(
    newsletter: Annotated[str, typer.Argument(help="The newsletter's slug.")],
    articles: Annotated[
        int, typer.Option(min=1, max=issues.MAX_ARTICLES, help="How many of the newest articles at most.")
    ] = 12,
    title: Annotated[str | None, typer.Option(help="The subject; by default from the headlines.")] = None,
    as_json: console.Json = False,
) -> None:
    """Draft an issue by hand from the newest articles that no issue has had."""
    with console.database() as database, database.writing() as session:
        found = newsletters.named(session, newsletter)
        issue = drafting.draft(
            session, found, articles=articles, title=title, actor=audit_log.system_user(), now=clock.now()
        )
        answer = _row(issue)
    console.show(answer, as_json=as_json, text=f"Issue {answer['issue']} is drafted: {answer['title']}")


@app.command()
def preview(
    number: IssueArgument,
    part: Annotated[str, typer.Option(help="html, text or source.")] = "text",
    to: Annotated[Path | None, typer.Option(help="Write it into this file.")] = None,
) -> None:
    """Show the letter as its readers will get it; for a link of each reader's own stands one like /u/preview."""
    settings = console.configured()
    with console.database(settings) as database, database.reading() as session:
        issue = _issue(session, number)
        shown = issue_letters.preview(session, issue, templates=templating.environment(), base_url=settings.base_url)
    if part not in shown:
        raise typer.BadParameter("name one of html, text and source", param_hint="--part")
    if to:
        to.write_text(shown[part], encoding="utf-8")
    else:
        typer.echo(shown[part])


@app.command()
def send(number: IssueArgument, as_json: console.Json = False) -> None:
    """Approve a drafted issue as it stands, and let the workers send it."""
    settings = console.configured()
    with console.database(settings) as database, database.writing() as session:
        issue = _issue(session, number)
        issue_letters.check(session, issue, templates=templating.environment(), base_url=settings.base_url)
        issues.approve(session, issue, actor=audit_log.system_user(), now=clock.now())
        answer = _row(issue)
    text = f"Issue {number} is approved; the workers begin within seconds. Follow it: newsletter issues status {number}"
    console.show(answer, as_json=as_json, text=text)


@app.command()
def pause(number: IssueArgument, as_json: console.Json = False) -> None:
    """Hold an issue that is leaving; what has left has left."""
    answer = _step(number, issues.pause)
    console.show(
        answer, as_json=as_json, text=f"Issue {number} is paused. Go on with: newsletter issues resume {number}"
    )


@app.command()
def resume(number: IssueArgument, as_json: console.Json = False) -> None:
    """Go on with a paused issue; what is recorded as sent is not sent again."""
    answer = _step(number, issue_pauses.resume)
    console.show(answer, as_json=as_json, text=f"Issue {number} goes on; the workers begin within seconds.")


@app.command()
def cancel(number: IssueArgument, as_json: console.Json = False) -> None:
    """Give an issue up: what is still owed of it never leaves, and its articles are free for the next one."""
    answer = _step(number, issues.cancel)
    console.show(answer, as_json=as_json, text=f"Issue {number} is cancelled; its articles are free for the next one.")


@app.command()
def status(
    number: Annotated[
        int | None, typer.Argument(min=1, max=2**62, help="One issue; without it the newest twenty.")
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Where issues stand, and for each letter the sum that has to come to its audience."""
    with console.database() as database, database.reading() as session:
        newest = select(Issue).order_by(Issue.id.desc()).limit(20)
        found = [_issue(session, number)] if number else session.scalars(newest).all()
        said = [bulletin.line for bulletin in notices.current(session, now=clock.now())]
        rows = [
            {
                **_row(issue),
                "reason": issues.pause_reason(session, issue),
                "relays": said if issue.status is issues.IssueStatus.SENDING else [],
                **_counts(session, issue),
            }
            for issue in found
        ]
    answer: Any = rows[0] if number else rows
    console.show(answer, as_json=as_json, text="\n".join(_line(row) for row in rows) or "No issue yet.")


def _step(number: int, step: Callable[..., None]) -> dict[str, Any]:
    """Take an issue a step on, in the name of who runs the command."""
    with console.database() as database, database.writing() as session:
        issue = _issue(session, number)
        step(session, issue, actor=audit_log.system_user(), now=clock.now())
        return _row(issue)


def _issue(session: Session, number: int) -> Issue:
    if issue := session.get(Issue, number):
        return issue
    raise NotFound(f"There is no issue {number}.")


def _row(issue: Issue) -> dict[str, Any]:
    return {"issue": issue.id, "number": issue.number, "status": issue.status.value, "title": issue.title}


def _counts(session: Session, issue: Issue) -> dict[str, Any]:
    letter = session.scalar(select(Letter).where(Letter.issue_id == issue.id))
    if letter is None:
        return {"audience": None}
    return {"audience": letter.audience, **{status.value: n for status, n in status_counts(session, letter.id).items()}}


def _line(row: dict[str, Any]) -> str:
    head = f"{row['issue']:>5}  {row['status']:<9}  {row['title']}"
    head += "".join(f"\n       {line}" for line in [row["reason"], *row["relays"]] if line)
    if row["audience"] is None:
        return head
    named = ("issue", "number", "status", "title", "reason", "relays", "audience")
    counted = {name: n for name, n in row.items() if name not in named}
    parts = " + ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counted.items() if n) or "0"
    return f"{head}\n       audience {row['audience']:,} = {parts}"
