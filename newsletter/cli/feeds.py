"""newsletter feeds: add the feeds that articles come from, look at them, change, pause and remove them."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, newsletters
from newsletter.cli import console, feed_rows
from newsletter.content import feed_changes, feed_facts, feed_looks, pictures, refreshing
from newsletter.content.downloading.downloader import DownloadInterrupted
from newsletter.content.downloading.sandboxed import SandboxedDownloader
from newsletter.content.feed_changes import FeedRemoval
from newsletter.content.feed_looks import FeedLook
from newsletter.content.feeds import feed_addresses, feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.content.fetching.http import user_agent
from newsletter.errors import Refused
from newsletter.newsletters import Newsletter
from newsletter.settings import Settings
from newsletter.store.database import Database

app = typer.Typer(help="Feeds: RSS, Atom, RDF or JSON Feed.", no_args_is_help=True, rich_markup_mode=None)

FeedArgument = Annotated[int, typer.Argument(min=1, max=2**62, help="The feed's id, as `feeds list` shows it.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Take the address although no feed can be read from it now.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="The feed's address.")],
    newsletter: Annotated[str, typer.Option(help="The slug of the newsletter that reads it.")],
    anyway: Anyway = False,
    as_json: console.Json = False,
) -> None:
    """Add a feed to a newsletter: look at it once, store its articles, and show what came."""
    settings, now = console.configured(), clock.now()
    with console.database(settings) as database:
        with database.reading() as session:
            feeds.check_new_address(session, newsletters.named(session, newsletter), url)
        look = _look(settings, url, anyway=anyway)  # no transaction is open here
        with database.writing() as session:
            reader = newsletters.named(session, newsletter)
            feed = feeds.add(session, reader, look.url, actor=audit_log.system_user(), now=now)
            feed_looks.record(session, feed, look, now=now)
            answer = {"feed": feed.id, "newsletter": newsletter, "url": feed.url, **feed_facts.seen(look, now=now)}
    text = f"Feed {answer['feed']} is added to “{reader.name}”.\n  {answer['url']}\n{feed_rows.seen_lines(answer)}"
    console.show(answer, as_json=as_json, text=text)


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the feeds with article counts, errors and the time of the next try."""
    with console.database() as database, database.reading() as session:
        rows = _rows(session)
    text = "\n".join(map(feed_rows.line, rows)) or "No feeds yet. Add one: newsletter feeds add"
    console.show(rows, as_json=as_json, text=text)


@app.command()
def show(feed_id: FeedArgument, as_json: console.Json = False) -> None:
    """Show everything about one feed: its state, what the last attempt said, and its newest articles."""
    with console.database() as database, database.reading() as session:
        feed = feeds.numbered(session, feed_id)
        reader = session.get_one(Newsletter, feed.newsletter_id)
        details = _row(session, feed, clock.now()) | feed_facts.facts(session, feed, reader, now=clock.now())
    console.show(details, as_json=as_json, text=feed_rows.page(details))


@app.command()
def refresh(
    feed_ids: Annotated[
        list[int] | None, typer.Argument(min=1, max=2**62, help="Ids of feeds; by default all that are not paused.")
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Fetch feeds now. Also fetch the pictures of new articles; exit 1 if a feed could not be read."""
    settings, now = console.configured(), clock.now()
    with console.database(settings) as database, closing(_downloader(settings)) as downloader:
        with database.writing() as session:
            feeds.make_due(session, feed_ids=feed_ids or (), actor=audit_log.system_user(), now=now)
        while refreshing.refresh_due(database.writing, downloader, now=now):
            pass
        while pictures.copy_new(database.writing, downloader, now=now):
            pass
        with database.reading() as session:
            rows = [row for row in _rows(session, since=now) if not feed_ids or row["feed"] in feed_ids]
    console.show(rows, as_json=as_json, text="\n".join(map(feed_rows.line, rows)) or "No feeds yet.")
    raise typer.Exit(any(row["error"] and not row["paused_at"] for row in rows))


@app.command()
def change(
    feed_id: FeedArgument,
    url: Annotated[str | None, typer.Option(help="The feed's new address. It is looked at once, as by `add`.")] = None,
    title: Annotated[str | None, typer.Option(help="A title of your own, which letters show as the source.")] = None,
    no_title: Annotated[bool, typer.Option("--no-title", help="Show the feed's own title again.")] = False,
    newsletter: Annotated[
        str | None, typer.Option(help="The slug of the newsletter that reads it from now on.")
    ] = None,
    anyway: Anyway = False,
    as_json: console.Json = False,
) -> None:
    """Change a feed's address, its title or the newsletter that reads it."""
    if title is not None and no_title:
        raise typer.BadParameter("give either --title or --no-title", param_hint="--title")
    if url is None and title is None and not no_title and newsletter is None:
        raise typer.BadParameter("say what to change", param_hint="--url, --title, --no-title or --newsletter")
    settings, now, actor = console.configured(), clock.now(), audit_log.system_user()
    with console.database(settings) as database:
        look = _look_for(database, settings, feed_id, url, anyway=anyway) if url is not None else None
        with database.writing() as session:
            feed = feeds.numbered(session, feed_id, for_change=True)
            if newsletter is not None:
                feed_changes.move(session, feed, newsletters.named(session, newsletter), actor=actor, now=now)
            if title is not None or no_title:
                feed_changes.rename(session, feed, title, actor=actor, now=now)
            if look:
                feed_changes.readdress(session, feed, look.url, actor=actor, now=now)
                feed_looks.record(session, feed, look, now=now)
            answer = _row(session, feed, now) | ({"look": feed_facts.seen(look, now=now)} if look else {})
    text = f"Feed {feed_id} is changed.\n{feed_rows.line(answer)}"
    console.show(answer, as_json=as_json, text=f"{text}\n{feed_rows.seen_lines(answer['look'])}" if look else text)


@app.command()
def pause(feed_id: FeedArgument, as_json: console.Json = False) -> None:
    """Ask a feed no more until you resume it. Its articles may still appear in issues."""
    answer = _apply(feed_id, feed_changes.pause)
    console.show(
        answer, as_json=as_json, text=f"Feed {feed_id} is paused. Resume it: newsletter feeds resume {feed_id}"
    )


@app.command()
def resume(feed_id: FeedArgument, as_json: console.Json = False) -> None:
    """Ask a paused feed again. The workers fetch it within minutes."""
    answer = _apply(feed_id, feed_changes.resume)
    console.show(answer, as_json=as_json, text=f"Feed {feed_id} is resumed; the workers fetch it within minutes.")


@app.command()
def remove(feed_id: FeedArgument, as_json: console.Json = False) -> None:
    """Remove a feed and its unused articles. Articles in issues stay, also in drafts."""
    with console.database() as database, database.writing() as session:
        feed = feeds.numbered(session, feed_id, for_change=True)
        removal = feed_changes.remove(session, feed, actor=audit_log.system_user(), now=clock.now())
    answer = {
        "feed": feed_id,
        "deleted": removal.deleted,
        "handed_over": removal.handed_over,
        "kept": removal.kept,
        "drafts": list(removal.drafts),
    }
    console.show(answer, as_json=as_json, text=_removed(feed_id, removal))


def _removed(feed_id: int, removal: FeedRemoval) -> str:
    text = f"Feed {feed_id} is removed. Articles: {removal.articles_in_words}."
    drafts = ", ".join(map(str, removal.drafts))
    hint = f"\nDrafts with articles of it: {drafts}. Send them, or cancel: newsletter issues cancel"
    return text + hint if drafts else text


def _apply(feed_id: int, change: Callable[..., None]) -> dict[str, Any]:
    """Change a feed, in the name of the user who runs the command."""
    now = clock.now()
    with console.database() as database, database.writing() as session:
        feed = feeds.numbered(session, feed_id, for_change=True)
        change(session, feed, actor=audit_log.system_user(), now=now)
        return _row(session, feed, now)


def _look_for(database: Database, settings: Settings, feed_id: int, url: str, *, anyway: bool) -> FeedLook:
    """Look at the new address of a feed."""
    with database.reading() as session:
        feed = feeds.numbered(session, feed_id)
        feeds.check_new_address(session, session.get_one(Newsletter, feed.newsletter_id), url, besides=feed)
    return _look(settings, url, anyway=anyway)


def _look(settings: Settings, url: str, *, anyway: bool) -> FeedLook:
    """Ask the address once. Raises Refused, with the reason and the remedy, if no feed comes and not `anyway`."""
    with closing(_downloader(settings)) as downloader:
        look = feed_looks.look(downloader, feed_addresses.candidates(url))
    if isinstance(look.failure, DownloadInterrupted) and not anyway:
        raise Refused(f"{look.asked} could not be looked at, which is not its fault: {look.failure}\nTry again.")
    if look.failure and not anyway:
        raise Refused(
            f"No feed can be read from {look.asked}: {look.failure}\nNothing is changed. Correct the address, or take "
            "it as it is with --anyway; it is then asked again and again until a feed comes."
        )
    return look


def _rows(session: Session, since: datetime | None = None) -> list[dict[str, Any]]:
    return feed_facts.rows(session, feeds.every(session), now=clock.now(), since=since)


def _row(session: Session, feed: Feed, now: datetime) -> dict[str, Any]:
    reader = session.get_one(Newsletter, feed.newsletter_id)
    return feed_facts.rows(session, [(feed, reader)], now=now)[0]


def _downloader(settings: Settings) -> SandboxedDownloader:
    return SandboxedDownloader(allow=settings.feed_allow, agent=user_agent(settings.base_url))
