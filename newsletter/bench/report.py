"""The benchmark's output: progress while it runs, and the figures as text."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_SECONDS = 10.0  # between two progress lines if the output is not a terminal

ShowProgress = Callable[[int, int], None]  # done, total


class ProgressOutput:
    """Prints progress: a bar on a terminal, lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed_at = 0.0  # monotonic time of the last progress line

    def line(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)

    @contextmanager
    def step(self, name: str) -> Iterator[ShowProgress]:
        """Yield the function that shows how much of a step is done."""
        if not self._console.is_terminal:
            yield self._lines(name)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(name, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)

    def _lines(self, name: str) -> ShowProgress:
        self.line(f"{name} ...")
        self._printed_at = time.monotonic()
        return self._line_if_due

    def _line_if_due(self, done: int, total: int) -> None:
        if time.monotonic() - self._printed_at >= LINE_SECONDS:
            self._printed_at = time.monotonic()
            self.line(f"  {done:,} of {total:,}")


def report(figures: dict[str, Any]) -> str:
    """Return the figures as text."""
    options, machine = figures["given"], figures["machine"]
    latency = f", round trip {figures['round_trip_ms']:.1f} ms" if options["latency_ms"] else ""
    cpus = f"{machine['cpus']} x {machine['processor']}, {machine['memory_gb']} GB"
    workers = f"{options['processes']} worker processes, {options['connections']} connections"
    approved = f"{figures['letters_per_second_since_approval']:,.0f} from approval"
    measured = f"from the first claim to the last recorded result; {approved}"
    lines = [
        f"{cpus}, Python {machine['python']}, PostgreSQL {figures['postgresql']}, load before {machine['load']}",
        f"data in {machine['folder']} ({machine['filesystem']}); fdatasync of 8 kB: {_or(figures['fsync_ms'], 'ms')}",
        f"{options['letters']:,} letters of {figures['letter_octets'] / 1000:.1f} kB, {workers}{latency}",
        "",
        f"letters a second      {figures['letters_per_second']:>10,.0f}   {measured}",
    ]
    lines += [
        f"{name.replace('_', '-'):<21} {figures[f'{name}_per_second']:>10,.0f}   "
        f"ratio {figures[f'ratio_to_{name}']:.2f}"
        for name in ("smtp_source", "smtplib")
        if figures[f"{name}_per_second"]
    ]
    lines += [
        f"lost, doubled         {_or(figures['lost']):>5} {_or(figures['doubled']):>4}   compared for each reader",
        f"difference            {_or(figures['difference']):>10}   letters counted by the sink minus recorded as sent",
        f"failed, unknown       {figures['failed']:>5} {figures['unknown']:>4}   in all runs",
        f"letters per commit    {_or(figures['letters_per_commit']):>10}",
        "",
        f"{'process':<34} {'CPU s per 1,000':>16} {'peak MB':>9}",
    ]
    cpu, peaks = figures["cpu_seconds_per_1000_letters"], figures["peak_memory_mb"]
    lines += [f"{name:<34} {cpu[name]:>16.3f} {_or(peaks.get(name)):>9}" for name in sorted(cpu)]
    lines += ["", *_other_runs(figures)]
    return "\n".join(lines)


def feed_report(figures: dict[str, Any]) -> str:
    """Return the figures of the feed benchmark as text."""
    options, machine, rounds = figures["given"], figures["machine"], figures["rounds"]
    database = "a given database" if options["database"] else "SQLite"
    rates = ", ".join(str(each["feeds_per_second"]) for each in rounds)
    lines = [
        f"{machine['cpus']} x {machine['processor']}, {machine['memory_gb']} GB, Python {machine['python']}",
        f"load before {machine['load']}; {database} in {machine['folder']} ({machine['filesystem']})",
        f"{options['feeds']:,} feeds on as many addresses; first all articles are new, then all are known",
        "",
        f"feeds a second        {figures['feeds_per_second']:>10,.1f}   by round: {rates}",
        f"failed, missing       {figures['failed']:>5} {figures['missing_articles']:>4}   feeds, and articles",
        f"processor share       {rounds[-1]['processor_share']:>10.2f}   near 1, the processor is the limit",
        "",
        f"{'process':<34} {'CPU ms a feed, first':>22} {'last round':>11}",
    ]
    first, last = rounds[0]["cpu_ms_per_feed"], rounds[-1]["cpu_ms_per_feed"]
    lines += [f"{name:<34} {first[name]:>22.2f} {last.get(name, 0):>11.2f}" for name in first]
    lines += ["", f"{'memory in MB':<34} {'at the beginning':>22} {'at the end':>11} {'peak':>9}"]
    begin, end = rounds[0]["memory_mb"], rounds[-1]["memory_mb"]
    for name in begin:
        peak = max(each["memory_mb"][name]["peak"] for each in rounds)
        lines.append(f"{name:<34} {begin[name]['first']:>22.1f} {end[name]['last']:>11.1f} {peak:>9.1f}")
    return "\n".join([*lines, *([f"first error: {figures['error']}"] if figures["error"] else [])])


def _other_runs(figures: dict[str, Any]) -> Iterator[str]:
    if run := figures["snapshot"]:
        yield (
            f"with an open snapshot: {run['letters_per_second']:,.0f} letters a second "
            f"({run['ratio_to_without']:.2f} of the rate without)"
        )
    if run := figures["lively"]:
        compared = run["compared"]
        yield (
            f"with sign-ups and unsubscribes: {run['letters_per_second']:,.0f} letters a second into the recording "
            f"sink; {compared['lost']} lost, {compared['doubled']} doubled"
        )
        if waits := run["confirmations"]:
            yield (
                f"  {waits['letters']} of {waits['signups']} confirmations: p50 {waits['p50_ms']} ms, "
                f"p99 {waits['p99_ms']} ms, longest {waits['longest_ms']} ms from the sign-up's commit to the 250; "
                f"queued after {waits['answered_p50_ms']} ms, claimed after {waits['claimed_p50_ms']} ms (p50)"
            )
        if unsubscribed := run["leavers"]:
            yield f"  {_unsubscribed(unsubscribed)}"
    if run := figures["paced"]:
        unsubscribed = _unsubscribed(run["leavers"])
        yield f"limited to {run['rate']:g} letters a second, {run['letters_per_second']:.1f} were sent: {unsubscribed}"


def _unsubscribed(figures: dict[str, Any]) -> str:
    latest = "no letter to them was begun afterwards"
    if figures["latest_mail_s"] is not None:
        latest = f"the latest MAIL FROM came {figures['latest_mail_s']} s after (limit {figures['limit_s']:g} s)"
    return f"{figures['left']} readers unsubscribed; {latest}"


def _or(figure: Any, unit: str = "") -> str:
    return "unknown" if figure is None else f"{figure:,} {unit}".strip()
