"""newsletter bench: measure how fast this machine sends letters, reads feeds and answers."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.bench import environment
from newsletter.bench.delivery import BenchOptions, DeliveryBenchmark
from newsletter.bench.desk.benchmark import DeskBenchmark, DeskBenchOptions
from newsletter.bench.desk.report import desk_report
from newsletter.bench.feeds import FeedBenchmark, FeedBenchOptions
from newsletter.bench.processes import unwinding_on_signals
from newsletter.bench.report import ProgressOutput, feed_report, report
from newsletter.bench.servers import postfix
from newsletter.bench.signups.benchmark import RATES, SignupBenchmark, SignupBenchOptions
from newsletter.bench.signups.report import signup_report
from newsletter.cli import console

app = typer.Typer(help="Benchmarks of this machine.", no_args_is_help=True, rich_markup_mode=None)

LettersOption = Annotated[
    int | None,
    typer.Option(min=1, max=5_000_000, help="Readers of the issue; by default 100,000, with --latency 10,000."),
]
ConnectionsOption = Annotated[int, typer.Option(min=1, max=200, help="Connections to the relay.")]
WorkerProcessesOption = Annotated[
    int | None, typer.Option(min=1, max=64, help="Worker processes; by default one per processor, with --latency one.")
]
RoundsOption = Annotated[
    int, typer.Option(min=1, max=20, help="Rounds of the newsletter and the baselines; the medians are reported.")
]
LatencyOption = Annotated[
    float, typer.Option(min=0, max=2000, metavar="MS", help="Delay the relay by this round-trip time.")
]
SnapshotOption = Annotated[
    bool | None,
    typer.Option("--snapshot/--no-snapshot", help="Also measure during an open transaction like pg_dump's."),
]
ConfirmationsOption = Annotated[
    int | None,
    typer.Option(min=0, help="Sign-ups during a separate run; by default 300, with --latency none."),
]
LeaversOption = Annotated[
    int | None, typer.Option(min=0, help="Unsubscribes during a separate run; by default 100, with --latency none.")
]
LanguagesOption = Annotated[
    list[str] | None,
    typer.Option("--language", help="Language of the readers; if repeated, they take turns. By default English."),
]
FeedOption = Annotated[str | None, typer.Option(help="URL or file of a feed; by default the built-in sample.")]
DatabaseUrlOption = Annotated[
    str, typer.Option(metavar="URL", help="An empty PostgreSQL database; by default a server is started.")
]
RedisUrlOption = Annotated[
    str, typer.Option(metavar="URL", help="An unused Redis; by default a new server is started.")
]
RelayUrlOption = Annotated[
    str,
    typer.Option(metavar="URL", help="An SMTP relay that accepts everything, instead of a sink; disables baselines."),
]
FolderOption = Annotated[Path, typer.Option(help="Parent of the servers' folders; on a disk, not in memory.")]

FeedsOption = Annotated[int, typer.Option("--feeds", min=1, max=1_000_000, help="Feeds that are due at once.")]
FeedRoundsOption = Annotated[
    int, typer.Option(min=1, max=100, help="Times that each feed is read; the median is reported.")
]
FeedDatabaseOption = Annotated[
    str, typer.Option(metavar="URL", help="An empty PostgreSQL database; by default a new SQLite file.")
]

SecondsOption = Annotated[float, typer.Option(min=1, max=600, help="Duration of each measurement at a fixed rate.")]
RateOption = Annotated[
    list[int] | None,
    typer.Option("--rate", min=1, max=5000, help="Sign-ups a second; may be repeated. By default 100, 200 and 300."),
]
AtOnceOption = Annotated[
    int, typer.Option(min=0, max=50_000, help="Sign-ups that are posted at once; 0 leaves this measurement out.")
]
IssueLettersOption = Annotated[
    int, typer.Option("--letters", min=0, max=5_000_000, help="Letters of the issue that is sent beside; 0 for none.")
]
SiteProcessesOption = Annotated[int, typer.Option("--site-processes", min=1, max=64, help="Processes of the site.")]
SignupWorkersOption = Annotated[int, typer.Option("--processes", min=1, max=64, help="Worker processes.")]

SubscribersOption = Annotated[int, typer.Option(min=100, max=10_000_000, help="Readers.")]
DeliveriesOption = Annotated[int, typer.Option(min=100, max=100_000_000, help="Letters sent and to be sent.")]
IssuesOption = Annotated[int, typer.Option(min=10, max=10_000, help="Issues, most of them sent.")]
ArticlesOption = Annotated[int, typer.Option(min=100, max=1_000_000, help="Articles of 40 feeds.")]
ActsOption = Annotated[int, typer.Option(min=10, max=10_000_000, help="Entries of the audit log.")]
RequestsOption = Annotated[int, typer.Option(min=1, max=10_000, help="Requests for each page.")]


@app.callback()
def bench() -> None:
    """Benchmarks of this machine."""


@app.command()
def delivery(
    letters: LettersOption = None,
    connections: ConnectionsOption = 20,
    processes: WorkerProcessesOption = None,
    rounds: RoundsOption = 3,
    latency: LatencyOption = 0,
    snapshot: SnapshotOption = None,
    confirmations: ConfirmationsOption = None,
    leavers: LeaversOption = None,
    language: LanguagesOption = None,
    feed: FeedOption = None,
    database: DatabaseUrlOption = "",
    redis: RedisUrlOption = "",
    relay: RelayUrlOption = "",
    folder: FolderOption = environment.SERVER_FOLDERS,
    as_json: console.Json = False,
) -> None:
    """Measure the sending of an issue. Real workers send in turns with smtp-source; exit 1 if letters went wrong."""
    options = BenchOptions(
        letters=letters or (10_000 if latency else 100_000),
        connections=connections,
        processes=processes or (1 if latency else len(os.sched_getaffinity(0))),
        rounds=rounds,
        latency_ms=latency,
        snapshot=not latency if snapshot is None else snapshot,
        confirmations=(0 if latency else 300) if confirmations is None else confirmations,
        leavers=(0 if latency else 100) if leavers is None else leavers,
        feed=feed,
        relay=relay,
        languages=tuple(language or ()),
    )
    figures = _measure(options, folder, database=database, redis=redis)
    typer.echo(json.dumps(figures) if as_json else report(figures))
    if failures(figures):
        raise typer.Exit(1)


@app.command()
def feeds(
    number: FeedsOption = 1000,
    rounds: FeedRoundsOption = 3,
    database: FeedDatabaseOption = "",
    folder: FolderOption = environment.SERVER_FOLDERS,
    as_json: console.Json = False,
) -> None:
    """Measure the reading of feeds, each on an address of its own; exit 1 if one failed or an article is missing."""
    with unwinding_on_signals():
        options = FeedBenchOptions(feeds=number, rounds=rounds, database=database)
        figures = FeedBenchmark(options, folder, ProgressOutput(console.err)).run()
    typer.echo(json.dumps(figures) if as_json else feed_report(figures))
    if figures["failed"] or figures["missing_articles"]:
        raise typer.Exit(1)


@app.command()
def signup(
    rounds: RoundsOption = 3,
    seconds: SecondsOption = 20,
    rate: RateOption = None,
    at_once: AtOnceOption = 10_000,
    letters: IssueLettersOption = 100_000,
    site_processes: SiteProcessesOption = 2,
    processes: SignupWorkersOption = 1,
    connections: ConnectionsOption = 20,
    database: DatabaseUrlOption = "",
    redis: RedisUrlOption = "",
    folder: FolderOption = environment.SERVER_FOLDERS,
    as_json: console.Json = False,
) -> None:
    """Measure sign-ups, in turns with a bare INSERT; exit 1 if one was refused or its letter went wrong."""
    options = SignupBenchOptions(
        rounds=rounds,
        seconds=seconds,
        rates=tuple(rate or RATES),
        at_once=at_once,
        letters=letters,
        site_processes=site_processes,
        processes=processes,
        connections=connections,
    )
    # Its visitors come from thousands of networks and a thousand domains: these limits are the service's own.
    limits = {f"CONFIRMATIONS_PER_{part}": "" for part in ("HOST", "NETWORK", "DOMAIN")}
    with unwinding_on_signals(), environment.running(folder, database=database, redis_url=redis, **limits) as servers:
        figures = SignupBenchmark(servers, options, ProgressOutput(console.err)).run()
    typer.echo(json.dumps(figures) if as_json else signup_report(figures))
    if any(figures[name] for name in ("refused", "unanswered", "lost", "doubled")):
        raise typer.Exit(1)


@app.command()
def desk(
    subscribers: SubscribersOption = 1_000_000,
    deliveries: DeliveriesOption = 5_000_000,
    issues: IssuesOption = 200,
    articles: ArticlesOption = 20_000,
    acts: ActsOption = 100_000,
    requests: RequestsOption = 200,
    database: DatabaseUrlOption = "",
    redis: RedisUrlOption = "",
    folder: FolderOption = environment.SERVER_FOLDERS,
    as_json: console.Json = False,
) -> None:
    """Measure every page of the desk in a large service; exit 1 if one is too slow, too large or has no example."""
    options = DeskBenchOptions(
        subscribers=subscribers,
        deliveries=deliveries,
        issues=issues,
        articles=articles,
        acts=acts,
        requests=requests,
    )
    with unwinding_on_signals(), environment.running(folder, database=database, redis_url=redis) as servers:
        figures = DeskBenchmark(servers, options, ProgressOutput(console.err)).run()
    typer.echo(json.dumps(figures) if as_json else desk_report(figures))
    if figures["exceeded"] or figures["not_measured"]:
        raise typer.Exit(1)


def _measure(options: BenchOptions, folder: Path, *, database: str, redis: str) -> dict[str, Any]:
    if not options.relay:
        postfix.program("smtp-source")  # fail before the readers are added if Postfix's programs are missing
    with (
        unwinding_on_signals(),
        environment.running(folder, database=database, redis_url=redis, relay=options.relay) as servers,
    ):
        return DeliveryBenchmark(servers, options, ProgressOutput(console.err)).run()


def failures(figures: dict[str, Any]) -> list[str]:
    """Return the names of the figures that must be zero and are not: letters lost, doubled, failed, late or missing."""
    runs = [run for run in (figures["lively"], figures["paced"]) if run]
    names = [name for name in ("lost", "doubled", "difference", "failed", "unknown") if figures[name]]
    if any(run["leavers"] and run["leavers"]["mails_later_than_limit"] for run in runs):
        names.append("mails_later_than_limit")
    waits = figures["lively"] and figures["lively"]["confirmations"]
    if waits and waits["letters"] < waits["signups"]:
        names.append("confirmations")
    return names
