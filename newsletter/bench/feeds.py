"""The feed benchmark: many feeds are due at once, each on an address of its own, and the real job refreshes them."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import func, select

from newsletter import audit_log, clock, newsletters, settings
from newsletter.bench import costs, feed_site, sample_issue
from newsletter.bench.environment import bench_settings
from newsletter.bench.feed_costs import FeedCosts
from newsletter.bench.report import ProgressOutput
from newsletter.bench.servers import external
from newsletter.bench.servers.server import Server, folder_for, free_port, listens
from newsletter.content.articles.articles import Article
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.upgrade import bring_up_to_date
from workers import context, jobs
from workers.context import Context

MAX_SECONDS = 3600.0  # for one round


@dataclass(frozen=True)
class FeedBenchOptions:
    """The command line's options; the field names are JSON keys of the report."""

    feeds: int = 1000
    rounds: int = 3
    database: str = ""


class FeedBenchmark:
    """One run of the benchmark: in the first round all articles are new, in the others all are known."""

    def __init__(self, options: FeedBenchOptions, folder: Path, progress: ProgressOutput) -> None:
        self._options = options
        self._folder = folder
        self._progress = progress

    def run(self) -> dict[str, Any]:
        """Run all rounds and return the figures under stable names. Raises NewsletterError if a round fails."""
        options = self._options
        logging.getLogger("newsletter.content").setLevel(logging.ERROR)  # the figures count the feeds that failed
        with ExitStack() as stack:
            home = folder_for(None, where=self._folder)
            port = free_port()
            site = stack.enter_context(_feed_site(port, home))
            built = stack.enter_context(_service(options.database, home))
            self._add_feeds(built, port)
            machine = costs.machine(home)
            rounds = [self._round(number, built, site) for number in range(options.rounds)]
            with built.database.reading() as session:
                errors = session.scalars(select(Feed.error).where(Feed.error.is_not(None))).all()
                articles = session.scalar(select(func.count()).select_from(Article)) or 0
        return {
            "feeds_per_second": round(median(each["feeds_per_second"] for each in rounds), 1),
            "failed": len(errors),
            "error": next(iter(errors), None),
            "missing_articles": options.feeds * feed_site.ENTRIES - articles,
            "rounds": rounds,
            "given": asdict(options) | {"database": bool(options.database)},  # its URL may hold a password
            "machine": machine,
        }

    def _add_feeds(self, built: Context, port: int) -> None:
        with built.database.writing() as session:
            reader, _ = sample_issue.add_newsletter(session)
            now = clock.now()
            for url in feed_site.addresses(self._options.feeds, port):
                session.add(Feed(newsletter_id=reader.id, url=url, added_at=now, next_try_at=now))
        self._progress.line(f"added {self._options.feeds:,} feeds of {feed_site.ENTRIES} articles")

    def _round(self, number: int, built: Context, site: Server) -> dict[str, Any]:
        name, total = f"round {number + 1} of {self._options.rounds}", self._options.feeds
        with built.database.writing() as session:
            newsletters.named(session, sample_issue.SLUG)
            feeds.make_due(session, actor=audit_log.system_user(), now=clock.now())
        since = clock.now()
        with self._progress.step(name) as show_progress, FeedCosts(built, site.supervisor_pid) as measured:
            started = time.monotonic()
            while (done := _refreshed(built, since)) < total and time.monotonic() - started < MAX_SECONDS:
                show_progress(done, total)
                jobs.refresh_feeds(built)
            seconds = time.monotonic() - started
        figures = measured.figures(feeds=total, seconds=seconds)
        self._progress.line(f"{name}: {figures['feeds_per_second']:.1f} feeds/s")
        return figures


def _refreshed(built: Context, since: Any) -> int:
    with built.database.reading() as session:
        return session.scalar(select(func.count()).where(Feed.checked_at >= since)) or 0


@contextmanager
def _feed_site(port: int, home: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "newsletter.bench.feed_site", "--port", str(port)]
    server = Server(command, folder_for(None, where=home), user=None, environ=os.environ)
    try:
        server.wait_until(lambda: listens(port))
        yield server
    finally:
        server.stop()


@contextmanager
def _service(database: str, home: Path) -> Iterator[Context]:
    """Yield what a worker's jobs need, on a migrated database; by default an SQLite file in the folder."""
    environ = bench_settings(home, FEED_ALLOW="127.0.0.0/8", DATABASE_URL=database)
    configuration = settings.load(environ, dotenv=None)
    with external.explain_as_options():
        external.check_unused(configuration, program="bench")
    bring_up_to_date(configuration, actor=audit_log.system_user(), now=clock.now())
    with closing(context.build(configuration)) as built:
        yield built
