"""newsletter issues: draft, preview, check, send, pause, cancel and follow issues."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, local_times, newsletters, templating
from newsletter.cli import console
from newsletter.content.digests import drafting, expiry
from newsletter.content.issues import approvals, issue_notes, issue_texts, issues
from newsletter.content.issues.issues import Issue
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.delivery.deliveries import status_counts
from newsletter.mail.letters.letters import Letter
from newsletter.mail.mailings import issue_layout
from newsletter.mail.pace import notices
from newsletter.newsletters import Newsletter

app = typer.Typer(help="Issues: dated editions of a newsletter.", no_args_is_help=True, rich_markup_mode=None)

MAX_FILE_BYTES = 100_000  # of an introduction, which is far shorter

IssueArgument = Annotated[int, typer.Argument(min=1, max=2**62, help="The issue's id, as `issues status` lists it.")]

Heading = Annotated[
    str | None,
    typer.Option(help="The title above the articles; by default the newsletter's name and the date."),
]
Introduction = Annotated[
    typer.FileBinaryRead | None,
    typer.Option(metavar="FILE", help="A text file (UTF-8) with one or two paragraphs above the articles; - to type."),
]


@app.command()
def draft(
    newsletter: Annotated[str, typer.Argument(help="The newsletter's slug.")],
    articles: Annotated[
        int, typer.Option(min=1, max=issues.MAX_ARTICLES, help="Maximum number of articles; the newest count.")
    ] = 12,
    title: Annotated[str | None, typer.Option(help="The subject; by default made from the headlines.")] = None,
    heading: Heading = None,
    intro: Introduction = None,
    archive: Annotated[
        bool, typer.Option(help="Take articles too that were more than 30 days old when they were first seen.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Draft an issue from the newest articles. An article appears in only one issue."""
    with console.database() as database, database.writing() as session:
        publication = newsletters.named(session, newsletter)
        issue = drafting.draft(
            session,
            publication,
            articles=articles,
            title=title,
            heading=heading,
            introduction=_text_of(intro),
            archive=archive,
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        answer = _row(issue)
    console.show(answer, as_json=as_json, text=f"Issue {answer['issue']} is drafted: {answer['title']}")


@app.command()
def edit(
    number: IssueArgument,
    title: Annotated[str | None, typer.Option(help='The subject; "" makes it from the headlines again.')] = None,
    preheader: Annotated[
        str | None, typer.Option(help="What inboxes show after the subject; by default the next headlines.")
    ] = None,
    heading: Heading = None,
    intro: Introduction = None,
    as_json: console.Json = False,
) -> None:
    """Change the texts of an issue; an approved one is a draft again. An empty text leaves it to the default again."""
    if title is None and preheader is None and heading is None and intro is None:
        raise typer.BadParameter("Give what to change: --title, --preheader, --heading or --intro.")
    change = partial(
        issue_texts.change, title=title, preheader=preheader, heading=heading, introduction=_text_of(intro)
    )
    answer = _apply(number, change)
    console.show(
        answer, as_json=as_json, text=f"Issue {number} is changed. Look at it: newsletter issues preview {number}"
    )


@app.command()
def preview(
    number: IssueArgument,
    part: Annotated[str, typer.Option(help="html, text or source.")] = "text",
    language: Annotated[
        str | None, typer.Option(metavar="TAG", help="A reader's language, such as de; by default the newsletter's.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Show the letter as readers will get it. Personal links are placeholders such as /u/preview.

    What publishers changed or withdrew since the draft is told beside it, on the standard error.
    """
    settings = console.configured()
    with console.database(settings) as database, database.reading() as session:
        issue = _issue(session, number)
        shown = issue_layout.preview(
            session, issue, templates=templating.environment, base_url=settings.base_url, tag=language
        )
        notes = [_note_line(note) for note in _notes(session, issue)]
        if approval := _approval_note(session, issue):
            notes.append(approval)
    if part not in shown:
        raise typer.BadParameter("must be html, text or source", param_hint="--part")
    if to:
        to.write_text(shown[part], encoding="utf-8")
    else:
        typer.echo(shown[part])
    for line in notes:
        typer.echo(line, err=True)


@app.command()
def check(number: IssueArgument, as_json: console.Json = False) -> None:
    """Check that the letter can be sent, and tell what publishers changed or withdrew since the draft."""
    settings = console.configured()
    with console.database(settings) as database, database.reading() as session:
        issue = _issue(session, number)
        problem, letters = None, {}
        try:
            letters = issue_layout.check(session, issue, templates=templating.environment, base_url=settings.base_url)
        except Refused as error:
            problem = str(error)
        headlines = {tag: each.headlines for tag, each in letters.items() if each.headlines}
        answer = {
            **_row(issue),
            "sha": issues.content_hash(session, issue),
            "problem": problem,
            "headlines": headlines,
            "notes": _notes(session, issue),
        }
    lines = [problem] if problem else []
    lines += map(_note_line, answer["notes"])
    lines = lines or [f"Issue {number} can be sent; its articles are unchanged."]
    console.show(answer, as_json=as_json, text="\n".join([*lines, *_shortened(headlines)]))
    if problem:
        raise typer.Exit(1)


@app.command()
def approve(
    number: IssueArgument,
    sha: Annotated[
        str | None, typer.Option(help="Refuse if the content is another than the one that `issues check` named.")
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Approve a draft for the time that is planned; without one, or if it has passed, it is sent at once."""
    answer = _approve(number, partial(issues.approve, sha=sha))
    text = f"Issue {number} is approved. Follow it: newsletter issues status {number}"
    console.show(answer, as_json=as_json, text=text)


@app.command()
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


@app.command()
def unschedule(number: IssueArgument, as_json: console.Json = False) -> None:
    """Make an approved issue a draft again, before sending begins."""
    answer = _apply(number, approvals.unschedule)
    console.show(answer, as_json=as_json, text=f"Issue {number} is a draft again and is not sent.")


@app.command()
def send(number: IssueArgument, as_json: console.Json = False) -> None:
    """Approve a draft, or take an approved issue's time forward; the workers then send it."""
    answer = _approve(number, approvals.send_now)
    text = f"Issue {number} is approved; sending starts within seconds. Follow it: newsletter issues status {number}"
    console.show(answer, as_json=as_json, text=text)


@app.command()
def pause(number: IssueArgument, as_json: console.Json = False) -> None:
    """Pause an issue that is being sent. Letters already sent stay sent."""
    answer = _apply(number, issues.pause)
    text = f"Issue {number} is paused. Resume it: newsletter issues resume {number}"
    console.show(answer, as_json=as_json, text=text)


@app.command()
def resume(number: IssueArgument, as_json: console.Json = False) -> None:
    """Resume a paused issue. Letters recorded as sent are not sent again."""
    answer = _apply(number, issue_pauses.resume)
    console.show(answer, as_json=as_json, text=f"Issue {number} is resumed; sending starts within seconds.")


@app.command()
def cancel(number: IssueArgument, as_json: console.Json = False) -> None:
    """Cancel an issue. Its unsent letters are never sent, and its articles may appear in the next issue."""
    answer = _apply(number, issues.cancel)
    text = f"Issue {number} is cancelled; its articles may appear in the next issue."
    console.show(answer, as_json=as_json, text=text)


@app.command()
def status(
    number: Annotated[
        int | None, typer.Argument(min=1, max=2**62, help="The issue's id; by default the twenty newest.")
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Show issues with their deliveries by status. The deliveries add up to the audience."""
    with console.database() as database, database.reading() as session:
        newest = select(Issue).order_by(Issue.id.desc()).limit(20)
        shown = [_issue(session, number)] if number else session.scalars(newest).all()
        relay_notices = [notice.line for notice in notices.current(session, now=clock.now())]
        rows = [
            {
                **_row(issue),
                "reason": issues.pause_reason(session, issue) or issues.cancellation_reason(session, issue),
                "approve_until": expiry.deadline(session, issue),
                "relays": relay_notices if issue.status is issues.IssueStatus.SENDING else [],
                **_counts(session, issue),
            }
            for issue in shown
        ]
    answer: Any = rows[0] if number else rows
    console.show(answer, as_json=as_json, text="\n".join(_line(row) for row in rows) or "No issues yet.")


def _text_of(file: BinaryIO | None) -> str | None:
    """Return the text of a file. Raises Malformed if it is no text in UTF-8."""
    if file is None:
        return None
    try:
        return file.read(MAX_FILE_BYTES + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("introduction", "The file of the introduction is no text in UTF-8.") from error


def _apply(number: int, change: Callable[..., None]) -> dict[str, Any]:
    """Change an issue, in the name of the user who runs the command."""
    with console.database() as database, database.writing() as session:
        issue = _issue(session, number)
        change(session, issue, actor=audit_log.system_user(), now=clock.now())
        return _row(issue)


def _approve(number: int, change: Callable[..., None]) -> dict[str, Any]:
    """Approve an issue, if its letter can be sent."""
    settings = console.configured()

    def checked(session: Session, issue: Issue, **by: Any) -> None:
        change(session, issue, **by)
        issue_layout.check(session, issue, templates=templating.environment, base_url=settings.base_url)

    return _apply(number, checked)


def _issue(session: Session, number: int) -> Issue:
    if issue := session.get(Issue, number):
        return issue
    raise NotFound(f"There is no issue {number}.")


def _row(issue: Issue) -> dict[str, Any]:
    return {"issue": issue.id, "number": issue.number, "status": issue.status.value, "title": issue.title}


def _shortened(headlines: dict[str, int]) -> list[str]:
    """Return what an operator should know about letters with headlines alone, by language."""
    lines = []
    for number in sorted(set(headlines.values())):
        tags = ", ".join(tag for tag, each in headlines.items() if each == number)
        lines.append(
            f"In the HTML ({tags}) the last {number} articles are headlines only, because Gmail hides the end of a "
            "longer letter; the text part has all excerpts."
        )
    return lines


def _approval_note(session: Session, issue: Issue) -> str | None:
    """Return what an operator who looks at the issue should know about its approval."""
    return issues.cancellation_reason(session, issue) or _approval(expiry.deadline(session, issue))


def _approval(until: datetime | None) -> str | None:
    return f"waits for approval until {until:%Y-%m-%d %H:%M} UTC; then its articles are free again" if until else None


def _notes(session: Session, issue: Issue) -> list[dict[str, Any]]:
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


def _note_line(note: dict[str, Any]) -> str:
    return f"“{note['title']}” {note['note']} ({note['at']:%Y-%m-%d %H:%M})."


def _counts(session: Session, issue: Issue) -> dict[str, Any]:
    letter = session.scalar(select(Letter).where(Letter.issue_id == issue.id))
    if letter is None:
        return {"audience": None}
    return {"audience": letter.audience, **{status.value: n for status, n in status_counts(session, letter.id).items()}}


def _line(row: dict[str, Any]) -> str:
    head = f"{row['issue']:>5}  {row['status']:<9}  {row['title']}"
    head += "".join(
        f"\n       {line}" for line in [row["reason"], _approval(row["approve_until"]), *row["relays"]] if line
    )
    if row["audience"] is None:
        return head
    other = ("issue", "number", "status", "title", "reason", "approve_until", "relays", "audience")
    counts = {name: n for name, n in row.items() if name not in other}
    terms = " + ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items() if n) or "0"
    return f"{head}\n       audience {row['audience']:,} = {terms}"
