"""newsletter issues: draft, edit, preview, check and follow issues."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from sqlalchemy import select

from newsletter import audit_log, clock, newsletters, templating
from newsletter.cli import console, issue_decisions, issue_rows
from newsletter.cli.issue_rows import IssueArgument
from newsletter.content.digests import drafting, expiry
from newsletter.content.issues import issue_texts, issues, transitions
from newsletter.content.issues.issues import Issue
from newsletter.errors import Malformed, Refused
from newsletter.mail.mailings import issue_layout
from newsletter.mail.pace import notices

app = typer.Typer(help="Issues: dated editions of a newsletter.", no_args_is_help=True, rich_markup_mode=None)

MAX_FILE_BYTES = 100_000  # of an introduction, which is far shorter

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
        answer = issue_rows.row(issue)
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
    answer = issue_decisions.apply(number, change)
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
        issue = issue_rows.named(session, number)
        shown = issue_layout.preview(
            session, issue, templates=templating.environment, base_url=settings.base_url, tag=language
        )
        notes = [issue_rows.note_line(note) for note in issue_rows.notes(session, issue)]
        if approval := issue_rows.approval_note(session, issue):
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
        issue = issue_rows.named(session, number)
        problem, letters = None, {}
        try:
            letters = issue_layout.check(session, issue, templates=templating.environment, base_url=settings.base_url)
        except Refused as error:
            problem = str(error)
        headlines = {tag: each.headlines for tag, each in letters.items() if each.headlines}
        answer = {
            **issue_rows.row(issue),
            "sha": issues.content_hash(session, issue),
            "problem": problem,
            "headlines": headlines,
            "notes": issue_rows.notes(session, issue),
        }
    lines = [problem] if problem else []
    lines += map(issue_rows.note_line, answer["notes"])
    lines = lines or [f"Issue {number} can be sent; its articles are unchanged."]
    console.show(answer, as_json=as_json, text="\n".join([*lines, *issue_rows.shortened(headlines)]))
    if problem:
        raise typer.Exit(1)


for decision in (
    issue_decisions.approve,
    issue_decisions.schedule,
    issue_decisions.unschedule,
    issue_decisions.send,
    issue_decisions.pause,
    issue_decisions.resume,
    issue_decisions.cancel,
):
    app.command()(decision)


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
        shown = [issue_rows.named(session, number)] if number else session.scalars(newest).all()
        relay_notices = [notice.line for notice in notices.current(session, now=clock.now())]
        rows = [
            {
                **issue_rows.row(issue),
                "reason": transitions.pause_reason(session, issue) or transitions.cancellation_reason(session, issue),
                "approve_until": expiry.deadline(session, issue),
                "relays": relay_notices if issue.status is issues.IssueStatus.SENDING else [],
                **issue_rows.counts(session, issue),
            }
            for issue in shown
        ]
    answer: Any = rows[0] if number else rows
    console.show(answer, as_json=as_json, text="\n".join(issue_rows.line(row) for row in rows) or "No issues yet.")


def _text_of(file: BinaryIO | None) -> str | None:
    """Return the text of a file. Raises Malformed if it is no text in UTF-8."""
    if file is None:
        return None
    try:
        return file.read(MAX_FILE_BYTES + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("introduction", "The file of the introduction is no text in UTF-8.") from error
