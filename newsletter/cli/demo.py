"""newsletter demo: the whole service in this process, from sign-up to silence, with everything real but the inboxes."""

import json
import shutil
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
from newsletter import settings
from newsletter.cli import house
from newsletter.cli.rehearsal import Stuck, Visitor, feed_served
from newsletter.cli.serving import bring_up_to_date, served, working
from newsletter.cli.show import Show
from newsletter.settings import Settings

SAMPLE = Path(newsletter.__file__).parent / "sample" / "feed.xml"


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the summary.")] = False,
    readers: Annotated[int, typer.Option(min=1, max=5000, help="How many sign up.")] = 25,
    feed: Annotated[str | None, typer.Option(help="A feed's URL or file; by default one of our own.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where the site listens; by default 8000 if it is free.")
    ] = None,
    as_json: house.Json = False,
) -> None:
    """Sign readers up, turn a feed into a digest, send it, let one reader leave, and prove that the sums are right."""
    say = house.err if as_json else house.out
    with _stage(say, port or _free_port(), feed) as show:
        summary = show.play(readers)
        right = is_right(summary, readers)
        if as_json:
            typer.echo(json.dumps(summary))
        _print_summary(say, summary, right=right)
        if not once:
            _keep_serving(say, show.site.settings.base_url)
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
def _stage(say: Console, port: int, feed: str | None) -> Iterator[Show]:
    """The service in a folder of its own, the feed within its reach, and a visitor."""
    with ExitStack() as stack:
        if feed is None or not feed.startswith(("http://", "https://")):
            file = Path(feed) if feed else SAMPLE
            if not file.is_file():
                raise Stuck(f"There is no file {file}.")
            feed = f"{stack.enter_context(feed_served(file.parent))}/{file.name}"
        found = _fresh(port, feed_host=urlsplit(feed).netloc)
        bring_up_to_date(found)
        app = stack.enter_context(working(found))
        stack.enter_context(served(app, "127.0.0.1", port))
        browser = stack.enter_context(closing(httpx2.Client(base_url=found.base_url, timeout=30, trust_env=False)))
        yield Show(say, app.state.site, Visitor(browser, found.data_dir / "outbox"), feed)


def _fresh(port: int, *, feed_host: str) -> Settings:
    folder = Path("var") / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    # Nothing of the environment: the demo must not write into a real database or to a real relay.
    given = {"data_dir": folder, "base_url": f"http://127.0.0.1:{port}", "feed_allow": (feed_host,)}
    return settings.load({}, dotenv=None, **given)


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
    )
    say.print("\n" + "\n".join(lines), markup=False)
    say.print("Every count is right." if right else "Some of these counts are wrong.", style="bold")


def _keep_serving(say: Console, base_url: str) -> None:
    say.print(
        f"\nLook around; Ctrl+C ends it.\n"
        f"  sign up   {base_url}/\n  archive   {base_url}/archive\n  outbox    {base_url}/outbox",
        markup=False,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        say.print("Good-bye.")
