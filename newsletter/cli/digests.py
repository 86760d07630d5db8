"""newsletter digests: the rules that turn articles into issues, and their schedule."""

from dataclasses import asdict
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from newsletter import audit_log, clock, newsletters
from newsletter.cli import console
from newsletter.content import issues
from newsletter.content.digests import digests

app = typer.Typer(help="Digests: which articles make an issue, and when.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def add(
    newsletter: Annotated[str, typer.Option(help="The newsletter's slug.")],
    cron: Annotated[str, typer.Option(help="Minute, hour, day, month, weekday: “0 7 * * 1-5” is workdays at seven.")],
    name: Annotated[str, typer.Option(help="A name for the operators.")] = "Digest",
    zone: Annotated[str | None, typer.Option(help="Time zone of the schedule; by default the newsletter's.")] = None,
    articles: Annotated[int, typer.Option(min=1, max=issues.MAX_ARTICLES, help="Maximum number of articles.")] = 12,
    automatic: Annotated[
        bool, typer.Option(help="Send without approval; otherwise an operator approves each issue.")
    ] = False,
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
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        runs = _runs(digest, newsletter, count=1)
        answer = {"digest": digest.id, "next": runs[0]["at"]}
    console.show(answer, as_json=as_json, text=f"Digest {answer['digest']} is added. Its first run:\n{_line(runs[0])}")


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the digests with their rules."""
    with console.database() as database, database.reading() as session:
        rows = [
            {
                "digest": digest.id,
                "newsletter": newsletter.slug,
                "name": digest.name,
                "cron": digest.cron,
                "zone": digest.zone,
                **asdict(digests.Rule.read(digest.rule)),
                "active": digest.active,
                "last_run_at": digest.last_run_at,
            }
            for digest, newsletter in digests.every(session)
        ]
    lines = [
        f"{row['digest']:>4}  {row['newsletter']:<20} {row['name']}: “{row['cron']}” in {row['zone']}, "
        f"at most {row['articles']} articles, "
        f"{'sent automatically' if row['send'] == 'automatic' else 'approved by an operator'}"
        for row in rows
    ]
    console.show(rows, as_json=as_json, text="\n".join(lines) or "No digests yet. Add one: newsletter digests add")


@app.command()
def upcoming(
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many runs to show.")] = 10,
    as_json: console.Json = False,
) -> None:
    """Show the next runs. Each time is in its digest's time zone."""
    with console.database() as database, database.reading() as session:
        rows = [
            run
            for digest, newsletter in digests.every(session)
            if digest.active
            for run in _runs(digest, newsletter.slug, count=count)
        ]
    rows = sorted(rows, key=lambda row: row["utc"])[:count]
    console.show(rows, as_json=as_json, text="\n".join(map(_line, rows)) or "Nothing is scheduled.")


def _runs(digest: digests.Digest, newsletter: str, *, count: int) -> list[dict[str, Any]]:
    return [
        {
            "digest": digest.id,
            "newsletter": newsletter,
            "name": digest.name,
            "zone": digest.zone,
            "at": run.astimezone(ZoneInfo(digest.zone)).isoformat(),
            "utc": run.isoformat(),
        }
        for run in digests.upcoming(digest, now=clock.now(), count=count)
    ]


def _line(row: dict[str, Any]) -> str:
    day, _, clock = row["at"].partition("T")
    return f"{day} {clock[:5]} {row['at'][-6:]}  {row['zone']:<20} {row['newsletter']:<20} {row['name']}"
