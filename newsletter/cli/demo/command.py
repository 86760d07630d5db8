"""newsletter demo: run the whole service once, from sign-up to unsubscribe; only the inboxes are simulated.

Without options everything runs in this process; on the given servers it runs as in production.
"""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from newsletter.bench.servers.external import SINK
from newsletter.bench.visitor import StepFailed, Visitor, browser_at, feed_served
from newsletter.cli import console
from newsletter.cli.demo import desk
from newsletter.cli.demo.environment import FOLDER, DemoOptions, DemoService, started
from newsletter.cli.demo.samples import sample_in
from newsletter.cli.demo.steps import DemoNewsletter, DemoSteps
from newsletter.languages.catalogues import DEFAULT

ARTICLES_OF_DRAFT = 5
CHECK_SECONDS = 5.0  # between two checks that the demo's processes still run


def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit after the summary.")] = False,
    readers: Annotated[int, typer.Option(min=1, max=5000, help="Number of readers who sign up.")] = 25,
    feed: Annotated[str | None, typer.Option(help="URL or file of a feed; by default the built-in sample.")] = None,
    language: Annotated[
        str, typer.Option(help="Language of newsletter, sample and readers: en, de or ar; en-XA marks all fixed words.")
    ] = DEFAULT,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the site; by default 8000 if it is free.")
    ] = None,
    database: Annotated[str, typer.Option(metavar="URL", help="An empty PostgreSQL database to use.")] = "",
    redis: Annotated[
        str, typer.Option(metavar="URL", help="An unused Redis; site, worker and beat then run as processes.")
    ] = "",
    relay: Annotated[
        str, typer.Option(metavar="URL", help=f"An SMTP relay for the letters, preferably a sink: {SINK}")
    ] = "",
    as_json: console.Json = False,
) -> None:
    """Sign readers up, send them a digest of a feed, unsubscribe one, and check every count."""
    terminal = console.err if as_json else console.out
    sample = sample_in(language)
    options = DemoOptions(port or _free_port(), database=database, redis=redis, relay=relay)
    with _running(options, feed or str(sample.feed)) as (service, feed_url):
        _introduce(terminal, service)
        newsletter = DemoNewsletter(language, sample, feed_url)
        summary = {**_run_steps(terminal, service, newsletter, readers), "servers": service.servers}
        is_correct = counts_are_correct(summary, readers)
        if as_json:
            typer.echo(json.dumps(summary))
        _print_summary(terminal, summary, is_correct=is_correct)
        if not once:
            logging.getLogger("newsletter.content").setLevel(logging.ERROR)  # a feed fails on purpose, at the desk
            link = desk.furnish(service.site, newsletter, articles=ARTICLES_OF_DRAFT)
            _keep_serving(terminal, service, desk_link=link)
    if not is_correct:
        raise typer.Exit(1)


def counts_are_correct(summary: dict[str, Any], readers: int) -> bool:
    """Return whether every count of the summary has its expected value."""
    issue = summary["issue"]
    return bool(
        summary["signups"] == summary["confirmed"] == issue["audience"] == issue["sent"] == readers
        and summary["articles"] > 0
        and summary["unsubscribed"] == 1
        and summary["doctor"] == "ok"
    )


@contextmanager
def _running(options: DemoOptions, feed: str) -> Iterator[tuple[DemoService, str]]:
    """Run the service; yield it and the feed's URL. A feed in a file is served over HTTP."""
    with ExitStack() as stack:
        if not feed.startswith(("http://", "https://")):
            file = Path(feed)
            if not file.is_file():
                raise StepFailed(f"There is no file {file}.")
            feed = f"{stack.enter_context(feed_served(file.parent))}/{file.name}"
        yield stack.enter_context(started(options, feed_host=urlsplit(feed).netloc)), feed


def _introduce(terminal: Console, service: DemoService) -> None:
    if service.servers:
        terminal.print(f"On {', '.join(service.servers.values())}.", markup=False)
    if "relay" in service.servers:
        terminal.print(
            "The readers are reader1@demo.example and so on. That domain receives no mail, so a real relay's letters "
            f"will bounce. A sink (Debian's package postfix) keeps the letters to itself: {SINK}",
            markup=False,
        )


def _run_steps(terminal: Console, service: DemoService, newsletter: DemoNewsletter, readers: int) -> dict[str, Any]:
    base_url = service.site.settings.base_url
    with closing(browser_at(base_url)) as browser:
        visitor = Visitor(browser, service.inbox)
        return DemoSteps(terminal, service.site, visitor, newsletter, service.check_progress).run(readers)


def _free_port() -> int:
    for port in (8000, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StepFailed("No port is free on this machine.")


def _print_summary(terminal: Console, summary: dict[str, Any], *, is_correct: bool) -> None:
    issue = summary["issue"]
    states = " + ".join(f"{n} {state}" for state, n in issue.items() if state != "audience" and n) or "0"
    lines = (
        f"signed up {summary['signups']}, confirmed {summary['confirmed']}, articles {summary['articles']}",
        f"issue: audience {issue['audience']} = {states}",
        f"unsubscribed by one click: {summary['unsubscribed']}",
        f"doctor: {summary['doctor']}",
        *([f"on {', '.join(summary['servers'].values())}"] if summary["servers"] else []),
    )
    terminal.print("\n" + "\n".join(lines), markup=False)
    terminal.print("Every count is right." if is_correct else "Some of these counts are wrong.", style="bold")


def _keep_serving(terminal: Console, service: DemoService, *, desk_link: str) -> None:
    base_url = service.site.settings.base_url
    lines = ["\nThe service keeps running; press Ctrl+C to stop it."]
    lines += [f"  desk      {desk_link}", "            (an invitation, which works once; afterwards sign in at /desk)"]
    lines.append(f"  sign up   {base_url}/")
    lines.append(f"  archive   {base_url}/archive")
    if service.site.shows_outbox:
        lines.append(f"  outbox    {base_url}/outbox")
    if service.site.settings.redis_url:
        lines.append(f"  logs      {FOLDER}/*.log")
    terminal.print("\n".join(lines), markup=False)
    try:
        while not threading.Event().wait(CHECK_SECONDS):
            service.check()
    except KeyboardInterrupt:
        terminal.print("Stopped.")
