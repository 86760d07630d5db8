"""newsletter feeds: add, list and refresh the feeds that articles come from."""

from contextlib import closing
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, newsletters
from newsletter.cli import console
from newsletter.content import articles, feeds, pictures, refreshing
from newsletter.content.downloading.sandboxed import SandboxedDownloader
from newsletter.content.parsing.sanitizing import without_userinfo

app = typer.Typer(help="Feeds: RSS, Atom, RDF or JSON Feed.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="The feed's URL.")],
    newsletter: Annotated[str, typer.Option(help="The slug of the newsletter that reads it.")],
    as_json: console.Json = False,
) -> None:
    """Add a feed to a newsletter. The workers fetch it within minutes; `feeds refresh` fetches it now."""
    with console.database() as database, database.writing() as session:
        reader = newsletters.named(session, newsletter)
        feed = feeds.add(session, reader, url, actor=audit_log.system_user(), now=clock.now())
        answer = {"feed": feed.id, "url": feed.url}
    text = f"Feed {answer['feed']} is added. Fetch it now: newsletter feeds refresh"
    console.show(answer, as_json=as_json, text=text)


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the feeds with article counts and errors."""
    with console.database() as database, database.reading() as session:
        rows = _rows(session)
    console.show(
        rows, as_json=as_json, text="\n".join(map(_line, rows)) or "No feeds yet. Add one: newsletter feeds add"
    )


@app.command()
def refresh(as_json: console.Json = False) -> None:
    """Fetch every feed now. Also fetch the pictures of new articles; exit 1 if a feed could not be read."""
    settings, now = console.configured(), clock.now()
    with console.database(settings) as database, closing(SandboxedDownloader(allow=settings.feed_allow)) as downloader:
        with database.writing() as session:
            feeds.make_due(session, actor=audit_log.system_user(), now=now)
        while refreshing.refresh_due(database.writing, downloader, now=now):
            pass
        while pictures.copy_new(database.writing, downloader, now=now):
            pass
        with database.reading() as session:
            rows = _rows(session, since=now)
    console.show(rows, as_json=as_json, text="\n".join(map(_line, rows)) or "No feeds yet.")
    raise typer.Exit(any(row["error"] for row in rows))


def _rows(session: Session, since: datetime | None = None) -> list[dict[str, Any]]:
    return [
        {
            "feed": feed.id,
            "newsletter": newsletter.slug,
            "url": without_userinfo(feed.url),  # rows from older releases may still hold a password
            "title": feed.title,
            "articles": articles.count(session, feed.id),
            **({"new": articles.count(session, feed.id, since=since)} if since else {}),
            "checked_at": feed.checked_at,
            "next_try_at": feed.next_try_at,
            "error": feed.error,
        }
        for feed, newsletter in feeds.every(session)
    ]


def _line(row: dict[str, Any]) -> str:
    fresh = f", {row['new']} new" if "new" in row else ""
    state = row["error"] or (f"{row['articles']} articles{fresh}" if row["checked_at"] else "not fetched yet")
    return f"{row['feed']:>4}  {row['newsletter']:<20} {row['title'] or row['url']}\n      {row['url']}\n      {state}"
