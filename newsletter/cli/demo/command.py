"""newsletter demo: the whole service, from sign-up to silence, with everything real but the inboxes.

By itself it needs nothing but this process. On servers that are given it runs as it does in production.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx2
import typer
from rich.console import Console

import newsletter
from newsletter.bench.servers.external import SINK
from newsletter.bench.visitor import Stuck, Visitor, feed_served
from newsletter.cli import console
from newsletter.cli.demo.environment import FOLDER, DemoOptions, DemoService, started
from newsletter.cli.demo.steps import DemoSteps

SAMPLE = Path(newsletter.__file__).parent / "sample" / "feed.xml"
WATCH = 5.0  # seconds between two looks at whether what was started still runs


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the summary.")] = False,
    readers: Annotated[int, typer.Option(min=1, max=5000, help="How many sign up.")] = 25,
    feed: Annotated[str | None, typer.Option(help="A feed's URL or file; by default one of our own.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where the site listens; by default 8000 if it is free.")
    ] = None,
    database: Annotated[str, typer.Option(metavar="URL", help="An empty PostgreSQL database to do it in.")] = "",
    redis: Annotated[
        str, typer.Option(metavar="URL", help="A Redis that nobody uses: site, worker and beat are processes then.")
    ] = "",
    relay: Annotated[
        str, typer.Option(metavar="URL", help=f"An SMTP relay that takes the letters, best a sink: {SINK}")
    ] = "",
    as_json: console.Json = False,
) -> None:
    """Sign readers up, turn a feed into a digest, send it, let one reader leave, and prove that the sums are right."""
    say = console.err if as_json else console.out
    given = DemoOptions(port or _free_port(), database=database, redis=redis, relay=relay)
    with _staged(given, feed) as (stage, feed_url):
        _introduce(say, stage)
        summary = {**_perform(say, stage, feed_url, readers), "servers": stage.servers}
        right = is_right(summary, readers)
        if as_json:
            typer.echo(json.dumps(summary))
        _print_summary(say, summary, right=right)
        if not once:
            _keep_serving(say, stage)
    if not right:
        raise typer.Exit(1)


def is_right(summary: dict[str, Any], readers: int) -> bool:
    """Whether every count is what it has to be."""
    issue = summary["issue"]
    return bool(
        summary["signups"] == summary["confirmed"] == issue["audience"] == issue["sent"] == readers
        and summary["articles"] > 0
        and summary["unsubscribed"] == 1
        and summary["doctor"] == "ok"
    )


@contextmanager
def _staged(given: DemoOptions, feed: str | None) -> Iterator[tuple[DemoService, str]]:
    """The service, with the feed within its reach."""
    with ExitStack() as stack:
        if feed is None or not feed.startswith(("http://", "https://")):
            file = Path(feed) if feed else SAMPLE
            if not file.is_file():
                raise Stuck(f"There is no file {file}.")
            feed = f"{stack.enter_context(feed_served(file.parent))}/{file.name}"
        yield stack.enter_context(started(given, feed_host=urlsplit(feed).netloc)), feed


def _introduce(say: Console, stage: DemoService) -> None:
    if stage.servers:
        say.print(f"On {', '.join(stage.servers.values())}.", markup=False)
    if "relay" in stage.servers:
        say.print(
            "The readers are reader1@demo.example and so on, where no mail arrives: what a real relay takes will "
            f"bounce. A sink, of Debian's package postfix, keeps it to itself: {SINK}",
            markup=False,
        )


def _perform(say: Console, stage: DemoService, feed: str, readers: int) -> dict[str, Any]:
    base_url = stage.site.settings.base_url
    with closing(httpx2.Client(base_url=base_url, timeout=30, trust_env=False)) as browser:
        return DemoSteps(say, stage.site, Visitor(browser, stage.inbox), feed, stage.watch).play(readers)


def _free_port() -> int:
    for port in (8000, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Stuck("No port is free on this machine.")


def _print_summary(say: Console, summary: dict[str, Any], *, right: bool) -> None:
    issue = summary["issue"]
    states = " + ".join(f"{n} {state}" for state, n in issue.items() if state != "audience" and n) or "0"
    lines = (
        f"signed up {summary['signups']}, confirmed {summary['confirmed']}, articles {summary['articles']}",
        f"issue: audience {issue['audience']} = {states}",
        f"unsubscribed by one click: {summary['unsubscribed']}",
        f"doctor: {summary['doctor']}",
        *([f"on {', '.join(summary['servers'].values())}"] if summary["servers"] else []),
    )
    say.print("\n" + "\n".join(lines), markup=False)
    say.print("Every count is right." if right else "Some of these counts are wrong.", style="bold")


def _keep_serving(say: Console, stage: DemoService) -> None:
    base_url = stage.site.settings.base_url
    lines = ["\nLook around; Ctrl+C ends it.", f"  sign up   {base_url}/", f"  archive   {base_url}/archive"]
    if stage.site.shows_outbox:
        lines.append(f"  outbox    {base_url}/outbox")
    if stage.site.settings.redis_url:
        lines.append(f"  logs      {FOLDER}/*.log")
    say.print("\n".join(lines), markup=False)
    try:
        while not threading.Event().wait(WATCH):
            stage.check()
    except KeyboardInterrupt:
        say.print("Good-bye.")
