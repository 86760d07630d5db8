"""What is said: progress while it runs, and the figures in the end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

EVERY = 10.0  # seconds between two lines where nobody watches a terminal

Told = Callable[[int, int], None]


class ProgressOutput:
    """Says on a console what is going on: a bar on a terminal, and plain lines anywhere else."""

    def __init__(self, say: Console) -> None:
        self._say = say

    def line(self, words: str) -> None:
        """Something that is done."""
        self._say.print(words, markup=False)

    @contextmanager
    def step(self, what: str) -> Iterator[Told]:
        """A step that takes a while; it is told how much of how much is done."""
        if not self._say.is_terminal:
            yield self._lines(what)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._say, transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, of: bar.update(task, completed=done, total=of or None)

    def _lines(self, what: str) -> Told:
        self.line(f"{what} ...")
        said = time.monotonic()

        def told(done: int, of: int) -> None:
            nonlocal said
            if time.monotonic() - said >= EVERY:
                said = time.monotonic()
                self.line(f"  {done:,} of {of:,}")

        return told


def report(found: dict[str, Any]) -> str:
    """The figures for people."""
    given, machine = found["given"], found["machine"]
    far = f", round trip {found['round_trip_ms']:.1f} ms" if given["latency_ms"] else ""
    cpus = f"{machine['cpus']} x {machine['processor']}, {machine['memory_gb']} GB"
    hands = f"{given['processes']} worker processes, {given['connections']} connections"
    approved = f"{found['letters_per_second_since_approval']:,.0f} from approval"
    measured = f"from the first claim to the last record; {approved}"
    lines = [
        f"{cpus}, Python {machine['python']}, PostgreSQL {found['postgresql']}, load before {machine['load']}",
        f"data in {machine['folder']} ({machine['filesystem']}); fdatasync of 8 kB: {_or(found['fsync_ms'], 'ms')}",
        f"{given['letters']:,} letters of {found['letter_octets'] / 1000:.1f} kB, {hands}{far}",
        "",
        f"letters a second      {found['letters_per_second']:>10,.0f}   {measured}",
    ]
    lines += [
        f"{name.replace('_', '-'):<21} {found[f'{name}_per_second']:>10,.0f}   ratio {found[f'ratio_to_{name}']:.2f}"
        for name in ("smtp_source", "smtplib")
        if found[f"{name}_per_second"]
    ]
    lines += [
        f"lost, doubled         {_or(found['lost']):>5} {_or(found['doubled']):>4}   reader by reader",
        f"counted by the sink   {_or(found['difference']):>10}   more than were recorded as sent, where it only counts",
        f"failed, unknown       {found['failed']:>5} {found['unknown']:>4}   in all runs",
        f"letters to a commit   {_or(found['letters_per_commit']):>10}",
        "",
        f"{'process':<34} {'CPU s per 1,000':>16} {'peak MB':>9}",
    ]
    cpu, peaks = found["cpu_seconds_per_1000_letters"], found["peak_memory_mb"]
    lines += [f"{name:<34} {cpu[name]:>16.3f} {_or(peaks.get(name)):>9}" for name in sorted(cpu)]
    lines += ["", *_others(found)]
    return "\n".join(lines)


def _others(found: dict[str, Any]) -> Iterator[str]:
    if run := found["snapshot"]:
        yield (
            f"with an open snapshot: {run['letters_per_second']:,.0f} letters a second "
            f"({run['ratio_to_without']:.2f} of the rate without)"
        )
    if run := found["lively"]:
        exact = run["compared"]
        yield (
            f"with people meanwhile: {run['letters_per_second']:,.0f} letters a second into a sink that remembers; "
            f"{exact['lost']} lost, {exact['doubled']} doubled, letter by letter"
        )
        if waits := run["confirmations"]:
            yield (
                f"  {waits['letters']} of {waits['signups']} confirmations: p50 {waits['p50_ms']} ms, "
                f"p99 {waits['p99_ms']} ms, longest {waits['longest_ms']} ms from the sign-up's commit to the 250; "
                f"answered after {waits['answered_p50_ms']} ms, claimed after {waits['claimed_p50_ms']} ms (p50)"
            )
        if gone := run["leavers"]:
            yield f"  {_gone(gone)}"
    if run := found["paced"]:
        yield f"at {run['rate']:g} letters a second, {run['letters_per_second']:.1f} left: {_gone(run['leavers'])}"


def _gone(gone: dict[str, Any]) -> str:
    latest = "nobody was written to afterwards"
    if gone["latest_mail_s"] is not None:
        latest = f"the latest MAIL FROM came {gone['latest_mail_s']} s after (limit {gone['limit_s']:g} s)"
    return f"{gone['left']} readers left; {latest}"


def _or(figure: Any, unit: str = "") -> str:
    return "unknown" if figure is None else f"{figure:,} {unit}".strip()
