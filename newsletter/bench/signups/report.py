"""The figures of the sign-up benchmark as text."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

from newsletter.bench.signups.measures import IN_TIME_SECONDS, UNCOUNTED

COLUMNS = ("answers/s", "p50 ms", "p99 ms", "relay p50", "relay p99", "in time", "letters/s", "CPU ms")


def signup_report(figures: dict[str, Any]) -> str:
    """Return the figures as text: medians over the rounds."""
    options, machine, rounds = figures["given"], figures["machine"], figures["rounds"]
    limits = ", ".join(f"{limit:,} a {name.rpartition('_')[2]}" for name, limit in figures["limits"].items())
    cpus = f"{machine['cpus']} x {machine['processor']}, {machine['memory_gb']} GB, Python {machine['python']}"
    lines = [
        f"{cpus}, PostgreSQL {figures['postgresql']}, load before {machine['load']}",
        f"site with {options['site_processes']} processes, {options['processes']} worker; limits: {limits}",
        f"{len(rounds)} rounds of {options['seconds']:g} s; times from POST to the answer and to the relay's 250",
        f"in time: within {IN_TIME_SECONDS:g} s; CPU: of site, worker, beat, PostgreSQL and Redis, for each sign-up",
        "",
        f"{'':<16}" + "".join(f"{name:>11}" for name in COLUMNS),
    ]
    for rate in options["rates"]:
        for route in ("site", "bare"):
            measured = [each["rates"][str(rate)][route] for each in rounds]
            lines.append(_row(f"{route}, {rate}/s", measured))
    lines += [_row(f"{route} at most", [each["at_most"][route] for each in rounds]) for route in ("site", "bare")]
    if options["at_once"]:
        lines.append(_row(f"{options['at_once']:,} at once", [each["at_once"] for each in rounds]))
    if figures["beside_an_issue"]:
        lines.append(_row("beside an issue", [figures["beside_an_issue"]]))
    return "\n".join([*lines, "", *_costs(figures), "", *_sums(figures)])


def _row(name: str, measured: Sequence[dict[str, Any]]) -> str:
    columns: list[Callable[[dict[str, Any]], Any]] = [
        lambda each: each["answers_per_second"],
        lambda each: each["answers"]["p50_ms"],
        lambda each: each["answers"]["p99_ms"],
        lambda each: each["to_the_relay"]["p50_ms"],
        lambda each: each["to_the_relay"]["p99_ms"],
        lambda each: each["in_time"] and round(each["in_time"] * 100, 1),
        lambda each: each["letters_per_second"],
        lambda each: each["cpu_ms_per_signup"]["service"],
    ]
    return f"{name:<16}" + "".join(f"{_median(map(column, measured)):>11}" for column in columns)


def _median(values: Any) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):,.1f}" if known else "-"


def _costs(figures: dict[str, Any]) -> Iterator[str]:
    """Yield processor time by program and rate, each as a median, and the site's ratio to the bare route."""
    rates, rounds = [str(rate) for rate in figures["given"]["rates"]], figures["rounds"]
    yield f"{'CPU ms a sign-up':<16}" + "".join(f"{rate + '/s':>11}" for rate in rates)
    for program in rounds[0]["rates"][rates[0]]["site"]["cpu_ms_per_signup"]:
        costs = [
            [each["rates"][rate]["site"]["cpu_ms_per_signup"].get(program, 0) for each in rounds] for rate in rates
        ]
        note = "   not counted" if program in UNCOUNTED else ""
        yield f"{program:<16}" + "".join(f"{median(cost):>11.2f}" for cost in costs) + note
    for name in rounds[0]["rates"][rates[0]]["ratio_to_bare"]:
        ratios = [[each["rates"][rate]["ratio_to_bare"][name] for each in rounds] for rate in rates]
        yield f"{name.replace('_', ' '):<20}" + "".join(f"{_median(each):>9}" for each in ratios) + "   site : bare"


def _sums(figures: dict[str, Any]) -> Iterator[str]:
    yield f"refused, unanswered   {figures['refused']:>5} {figures['unanswered']:>4}   forms, in all measurements"
    yield f"lost, doubled         {figures['lost']:>5} {figures['doubled']:>4}   letters, compared for each visitor"
    if beside := figures["beside_an_issue"]:
        yield f"the issue: {beside['issue_letters_per_second']:,.0f} letters/s for {beside['issue_seconds']:g} s"
