"""newsletter bench: how fast, on this machine."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.bench import environment
from newsletter.bench.delivery import BenchOptions, DeliveryBenchmark
from newsletter.bench.processes import leaving_in_order
from newsletter.bench.report import ProgressOutput, report
from newsletter.bench.servers import postfix
from newsletter.cli import console

app = typer.Typer(help="Benchmarks: how fast, on this machine.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def bench() -> None:
    """Benchmarks: how fast, on this machine."""


@app.command()
def delivery(
    letters: Annotated[
        int | None,
        typer.Option(min=1, max=5_000_000, help="Readers of one issue; by default 100,000, far away 10,000."),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=200, help="Connections to the relay.")] = 20,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Worker processes; by default one for each processor, far away one."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Turns of ours and of the yardsticks; medians count.")] = 3,
    latency: Annotated[
        float, typer.Option(min=0, max=2000, metavar="MS", help="Put a wire of this round trip before the relay.")
    ] = 0,
    snapshot: Annotated[
        bool | None,
        typer.Option("--snapshot/--no-snapshot", help="Also once while a transaction like pg_dump's is open."),
    ] = None,
    confirmations: Annotated[
        int | None, typer.Option(min=0, help="Sign-ups meanwhile, in a run of its own; by default 300, far away none.")
    ] = None,
    leavers: Annotated[
        int | None, typer.Option(min=0, help="Readers who leave meanwhile; by default 100, far away none.")
    ] = None,
    feed: Annotated[str | None, typer.Option(help="A feed's URL or file; by default one of our own.")] = None,
    database: Annotated[
        str, typer.Option(metavar="URL", help="An empty PostgreSQL database, in place of one's own.")
    ] = "",
    redis: Annotated[str, typer.Option(metavar="URL", help="A Redis that nobody uses, in place of one's own.")] = "",
    relay: Annotated[
        str,
        typer.Option(metavar="URL", help="An SMTP relay that takes it all, in place of a sink; no yardsticks then."),
    ] = "",
    folder: Annotated[
        Path, typer.Option(help="Where the servers' folders are made; on a disk, not in memory.")
    ] = environment.WHERE,
    as_json: console.Json = False,
) -> None:
    """Send an issue to so many readers through real workers, in turns with Postfix's smtp-source."""
    given = BenchOptions(
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
    )
    if not relay:
        postfix.program("smtp-source")  # it comes with smtp-sink; who lacks them learns it before the readers settle in
    with leaving_in_order(), environment.built(folder, database=database, redis_url=redis, relay=relay) as built:
        found = DeliveryBenchmark(built, given, ProgressOutput(console.err)).perform()
    typer.echo(json.dumps(found) if as_json else report(found))
    if wrong(found):
        raise typer.Exit(1)


def wrong(found: dict[str, Any]) -> list[str]:
    """What went wrong, by the names of the figures: letters lost, doubled, failed, late or never sent."""
    runs = [run for run in (found["lively"], found["paced"]) if run]
    said = [name for name in ("lost", "doubled", "difference", "failed", "unknown") if found[name]]
    if any(run["leavers"] and run["leavers"]["mails_later_than_limit"] for run in runs):
        said.append("mails_later_than_limit")
    waits = found["lively"] and found["lively"]["confirmations"]
    if waits and waits["letters"] < waits["signups"]:
        said.append("confirmations")
    return said
