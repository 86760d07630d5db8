"""newsletter digests: the rules that turn articles into issues, and their schedule."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from newsletter import audit_log, clock, newsletters
from newsletter.cli import console, digest_runs
from newsletter.cli.digest_runs import DigestArgument
from newsletter.content.digests import digests, editing
from newsletter.content.digests.digests import MAX_APPROVAL_HOURS, Digest, WhenLate
from newsletter.content.digests.explanation import DigestSchedule
from newsletter.content.issues import issues

app = typer.Typer(help="Digests: which articles make an issue, and when.", no_args_is_help=True, rich_markup_mode=None)
app.command()(digest_runs.upcoming)
app.command()(digest_runs.run)

CRON_HELP = "Minute, hour, day, month, weekday: “0 7 * * 1-5” is workdays at seven."
ARTICLES_HELP = "Maximum number of articles."
APPROVE_WITHIN_HELP = "Hours; then a draft that nobody approved is cancelled, and its articles are free."
LATE_HELP = (
    "An automatic digest more than an hour late waits for the next time of day of its schedule, or leaves at once."
)
ARCHIVE_HELP = "Take articles too that were more than 30 days old when they were first seen."


@app.command()
def add(
    newsletter: Annotated[str, typer.Option(help="The newsletter's slug.")],
    cron: Annotated[str, typer.Option(help=CRON_HELP)],
    name: Annotated[str, typer.Option(help="A name for the operators.")] = "Digest",
    zone: Annotated[str | None, typer.Option(help="Time zone of the schedule; by default the newsletter's.")] = None,
    articles: Annotated[int, typer.Option(min=1, max=issues.MAX_ARTICLES, help=ARTICLES_HELP)] = 12,
    automatic: Annotated[
        bool, typer.Option(help="Send without approval; otherwise an operator approves each issue.")
    ] = False,
    approve_within: Annotated[int, typer.Option(min=1, max=MAX_APPROVAL_HOURS, help=APPROVE_WITHIN_HELP)] = 72,
    when_late: Annotated[WhenLate, typer.Option(help=LATE_HELP)] = WhenLate.WAIT,
    archive: Annotated[bool, typer.Option(help=ARCHIVE_HELP)] = False,
    as_json: console.Json = False,
) -> None:
    """Publish a newsletter on a schedule. An issue holds the newest unused articles; without one there is no issue."""
    with console.database() as database, database.writing() as session:
        digest = digests.add(
            session,
            newsletters.named(session, newsletter),
            name=name,
            cron=cron,
            zone=zone,
            articles=articles,
            automatic=automatic,
            approve_within=approve_within,
            late=when_late,
            archive=archive,
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        run = digest_runs.runs(digest, newsletter, count=1)[0]
        answer = {"digest": digest.id, "schedule": _schedule(digest), "next": run["at"]}
    text = f"Digest {answer['digest']} is added. {answer['schedule']} Its first run:\n{digest_runs.run_line(run)}"
    console.show(answer, as_json=as_json, text=text)


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the digests with their rules."""
    with console.database() as database, database.reading() as session:
        rows = [_row(digest, newsletter.slug) for digest, newsletter in digests.every(session)]
    text = "\n".join(map(_line, rows)) or "No digests yet. Add one: newsletter digests add"
    console.show(rows, as_json=as_json, text=text)


@app.command()
def change(
    digest: DigestArgument,
    name: Annotated[str | None, typer.Option(help="A name for the operators.")] = None,
    cron: Annotated[str | None, typer.Option(help=CRON_HELP)] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of the schedule.")] = None,
    articles: Annotated[int | None, typer.Option(min=1, max=issues.MAX_ARTICLES, help=ARTICLES_HELP)] = None,
    automatic: Annotated[
        bool | None, typer.Option("--automatic/--approve", help="Send without approval, or after an operator's.")
    ] = None,
    approve_within: Annotated[int | None, typer.Option(min=1, max=MAX_APPROVAL_HOURS, help=APPROVE_WITHIN_HELP)] = None,
    when_late: Annotated[WhenLate | None, typer.Option(help=LATE_HELP)] = None,
    archive: Annotated[bool | None, typer.Option(help=ARCHIVE_HELP)] = None,
    as_json: console.Json = False,
) -> None:
    """Change what is given. A new schedule makes up for no run of the old one."""
    rule = {
        "articles": articles,
        "send": None if automatic is None else "automatic" if automatic else "approve",
        "approve_within": approve_within,
        "late": when_late.value if when_late else None,
        "archive": archive,
    }
    given = {field: value for field, value in rule.items() if value is not None}
    row = _apply(editing.change, digest, name=name, cron=cron, zone=zone, rule=given)
    console.show(row, as_json=as_json, text=f"Digest {digest} is changed:\n{_line(row)}")


@app.command()
def pause(digest: DigestArgument, as_json: console.Json = False) -> None:
    """Pause a digest: it drafts nothing until it is resumed. Issues that exist stay."""
    row = _apply(editing.pause, digest)
    console.show(row, as_json=as_json, text=f"Digest {digest} is paused. Resume it: newsletter digests resume {digest}")


@app.command()
def resume(digest: DigestArgument, as_json: console.Json = False) -> None:
    """Resume a paused digest at its next run. Runs missed meanwhile are not made up for."""
    row = _apply(editing.resume, digest)
    console.show(row, as_json=as_json, text=f"Digest {digest} is resumed. Its runs: newsletter digests upcoming")


@app.command()
def remove(digest: DigestArgument, as_json: console.Json = False) -> None:
    """Remove a digest. Its issues stay, drafts too; its name is free again."""
    _apply(editing.remove, digest)
    console.show({"digest": digest, "removed": True}, as_json=as_json, text=f"Digest {digest} is removed.")


def _apply(edit: Callable[..., Digest], digest_id: int, **values: Any) -> dict[str, Any]:
    """Edit a digest, in the name of the user who runs the command; return its row."""
    with console.database() as database, database.writing() as session:
        _, newsletter = digests.numbered(session, digest_id)
        digest = edit(session, digest_id, **values, actor=audit_log.system_user(), now=clock.now())
        return _row(digest, newsletter.slug)


def _row(digest: Digest, newsletter: str) -> dict[str, Any]:
    return {
        "digest": digest.id,
        "newsletter": newsletter,
        "name": digest.name,
        "cron": digest.cron,
        "zone": digest.zone,
        "schedule": _schedule(digest),
        **asdict(digests.Rule.read(digest.rule)),
        "active": digest.active,
        "last_run_at": digest.last_run_at,
    }


def _line(row: dict[str, Any]) -> str:
    rule = [f"“{row['cron']}” in {row['zone']}", f"at most {row['articles']} articles"]
    rule += ["from the archive too"] if row["archive"] else []
    if row["send"] == "automatic":
        rule.append("sent automatically" + (", at once when late" if row["late"] == WhenLate.AT_ONCE else ""))
    else:
        rule.append(f"approved by an operator within {row['approve_within']} hours")
    paused = "" if row["active"] else " (paused)"
    head = f"{row['digest']:>4}  {row['newsletter']:<20} {row['name']}{paused}: {', '.join(rule)}"
    return f"{head}\n      {row['schedule']}"


def _schedule(digest: Digest) -> str:
    """Return the schedule in words, because cron's rules for days surprise."""
    return str(DigestSchedule(((digest.cron, digest.zone),)))
