"""The sign-up benchmark: the site in turns with a bare INSERT, at fixed rates, at its limit, and beside an issue."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

from newsletter import clock
from newsletter.bench import costs, relays, runs, sample_issue
from newsletter.bench.environment import BASE_URL, BenchEnvironment, BenchWorkers
from newsletter.bench.readers import ReaderRows
from newsletter.bench.recording_sink import RecordedLetter
from newsletter.bench.relays import BenchRelay
from newsletter.bench.report import ProgressOutput
from newsletter.bench.signups import measures, service
from newsletter.bench.signups.load import AnsweredVisitor, LoadOrders
from newsletter.bench.signups.measures import SignupMeasurement
from newsletter.bench.signups.service import BARE, SITE, BenchSite, LoadProcess
from newsletter.bench.signups.visitors import SignupVisitors
from newsletter.keys import load_keyring
from newsletter.settings import PREFIX, Settings

RATES = (100, 200, 300)  # visitors a second
RATE_BESIDE_AN_ISSUE = 50
CLOSED_LOOP_CONNECTIONS = 64
WARM_UP = 300  # visitors, before the first measurement: connections, caches and query plans
STALL_SECONDS = 30.0  # without a letter until a measurement ends
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class SignupBenchOptions:
    """The command line's options; the field names are JSON keys of the report."""

    rounds: int
    seconds: float  # of each measurement
    rates: tuple[int, ...] = RATES
    at_once: int = 10_000  # visitors; 0 leaves the measurement out
    letters: int = 100_000  # readers of the issue; 0 leaves the measurement out
    site_processes: int = 2
    processes: int = 1  # workers
    connections: int = 20  # to the relay


class SignupBenchmark:
    """One run of the whole benchmark."""

    def __init__(self, environment: BenchEnvironment, options: SignupBenchOptions, progress: ProgressOutput) -> None:
        self._environment = environment
        self._options = options
        self._progress = progress
        self._measurements = count()

    def run(self) -> dict[str, Any]:
        """Run everything and return the figures under stable names; raises NewsletterError if a run fails."""
        machine = costs.machine(self._environment.home)
        issue = self._prepare()
        with self._service() as (site, bare, workers):
            for each in (bare, site):
                self._measure(f"warming up: {each.name}", each, site, workers, number=WARM_UP, rate=RATES[0])
            rounds = [self._round(number, site, bare, workers) for number in range(self._options.rounds)]
            beside = self._beside_an_issue(issue, site, workers) if issue else None
        return {
            **_totals([each for one in rounds for each in _measured(one)] + ([beside] if beside else [])),
            "given": asdict(self._options),
            "limits": _limits(self._environment.settings),
            "machine": machine,
            "fsync_ms": costs.sync_ms(self._environment.home) if "postgresql" in self._environment.servers else None,
            "postgresql": self._environment.server_version().partition(" ")[0],
            "rounds": rounds,
            "beside_an_issue": beside,
        }

    def _prepare(self) -> int | None:
        """Add the newsletter, its readers and an issue; return the issue's id."""
        database, letters = self._environment.database, self._options.letters
        with database.writing() as session:
            newsletter, wording = sample_issue.add_newsletter(session)
        if not letters:
            return None
        with self._progress.step(f"inserting {letters:,} readers") as show_progress:
            keyring = load_keyring(self._environment.settings)
            ReaderRows(newsletter, wording, keyring, clock.now()).insert(database, letters, show_progress)
            self._environment.vacuum()
        sample_issue.fetch_feed(database, None)
        issues, _ = sample_issue.draft_many(database, 1, base_url=BASE_URL)
        return issues[0]

    @contextmanager
    def _service(self) -> Iterator[tuple[BenchSite, BenchSite, BenchWorkers]]:
        """Run site, bare route, workers and sink."""
        options, environment = self._options, self._environment
        with ExitStack() as stack:
            relay = stack.enter_context(relays.recording_sink(environment.home))
            url = relay.url_for(connections=options.connections)
            environ = {f"{PREFIX}SMTP_URL": url}  # the site shows no outbox
            site, bare = (
                stack.enter_context(
                    service.running_site(environment, name, app, processes=options.site_processes, environ=environ)
                )
                for name, app in (("site", SITE), ("bare", BARE))
            )
            workers = stack.enter_context(environment.running_workers(relay, url, workers=options.processes))
            yield site, bare, workers

    def _round(self, number: int, site: BenchSite, bare: BenchSite, workers: BenchWorkers) -> dict[str, Any]:
        """Measure both routes in turns; each round begins with the other one."""
        options, name = self._options, f"round {number + 1} of {self._options.rounds}"
        turns = (site, bare) if number % 2 else (bare, site)
        figures: dict[str, Any] = {"rates": {}, "at_most": {}, "at_once": None}
        for rate in options.rates:
            measured = {
                each.name: self._measure(
                    f"{name}: {each.name}, {rate}/s",
                    each,
                    site,
                    workers,
                    number=max(1, round(rate * options.seconds)),
                    rate=rate,
                )
                for each in turns
            }
            figures["rates"][str(rate)] = measured | _ratios(measured)
        measured = {
            each.name: self._measure(f"{name}: {each.name} at most", each, site, workers, seconds=options.seconds)
            for each in turns
        }
        figures["at_most"] = measured | _ratios(measured)
        if options.at_once:
            title = f"{name}: {options.at_once:,} at once"
            figures["at_once"] = self._measure(title, site, site, workers, number=options.at_once)
        return figures

    def _beside_an_issue(self, issue: int, site: BenchSite, workers: BenchWorkers) -> dict[str, Any]:
        """Send the issue at full speed, while visitors sign up for as long as it lasts."""
        number, visitors = self._options.letters, self._visitors(site)
        orders = self._orders(visitors, site, number=number, rate=RATE_BESIDE_AN_ISSUE)
        meter, before = workers.meter(site=site.server), workers.relay.count() or 0
        with self._progress.step("beside an issue") as show_progress, self._loading(orders) as load:
            run = runs.send(workers, issue, show_progress)
            load.stop()
            answers, result = load.result()
        cpu = measures.by_program(meter.read()[0])
        _wait_for_letters(workers, before + run.sent + _accepted(answers))
        measurement = SignupMeasurement(visitors, answers, _letters(workers.relay, visitors), result, cpu)
        figures = {"issue_letters_per_second": round(run.rate, 1), "issue_seconds": round(run.seconds, 1)}
        return measurement.figures | figures

    def _measure(
        self,
        name: str,
        route: BenchSite,
        site: BenchSite,
        workers: BenchWorkers,
        *,
        number: int = 1_000_000,
        rate: float = 0,
        seconds: float = 0,
    ) -> dict[str, Any]:
        """Let visitors sign up on one route, and wait for their letters."""
        visitors = self._visitors(site)
        orders = self._orders(visitors, route, number=number, rate=rate, seconds=seconds)
        meter, before = workers.meter(site=route.server), workers.relay.count() or 0
        with self._progress.step(name), self._loading(orders) as load:
            answers, result = load.result()
            _wait_for_letters(workers, before + _accepted(answers))
        cpu = measures.by_program(meter.read()[0])
        figures = SignupMeasurement(visitors, answers, _letters(workers.relay, visitors), result, cpu).figures
        self._progress.line(f"{name}: {_summary(figures)}")
        return figures

    def _visitors(self, site: BenchSite) -> SignupVisitors:
        page, form = site.form()
        return SignupVisitors(next(self._measurements), page, form)

    def _orders(self, visitors: SignupVisitors, route: BenchSite, **values: Any) -> LoadOrders:
        log = self._environment.home / f"answers-{visitors.measurement}"
        return LoadOrders(route.port, visitors, str(log), connections=CLOSED_LOOP_CONNECTIONS, **values)

    @contextmanager
    def _loading(self, orders: LoadOrders) -> Iterator[LoadProcess]:
        load = LoadProcess(orders, self._environment.home)
        try:
            yield load
        finally:
            load.kill()


def _accepted(answers: Sequence[AnsweredVisitor]) -> int:
    return sum(each.status == 202 for each in answers)


def _letters(relay: BenchRelay, visitors: SignupVisitors) -> list[RecordedLetter]:
    ending = f"-{visitors.measurement}.example"
    return [each for each in relay.letters() if each.recipients and each.recipients[0].endswith(ending)]


def _wait_for_letters(workers: BenchWorkers, expected: int) -> None:
    """Wait until the relay has taken that many letters, or takes no more."""
    counted, changed_at = -1, time.monotonic()
    while counted < expected and time.monotonic() - changed_at < STALL_SECONDS:
        workers.check()
        if (number := workers.relay.count() or 0) != counted:
            counted, changed_at = number, time.monotonic()
        time.sleep(POLL_SECONDS)


def _measured(figures: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the figures of each measurement in a round."""
    for routes in (*figures["rates"].values(), figures["at_most"]):
        yield from (routes["site"], routes["bare"])
    if figures["at_once"]:
        yield figures["at_once"]


def _totals(measured: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return the sums that must be zero."""
    return {name: sum(each[name] for each in measured) for name in ("refused", "unanswered", "lost", "doubled")}


def _ratios(measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the site's figures divided by those of the bare route."""
    site, bare = measured["site"], measured["bare"]
    pairs = {
        "cpu_of_site": (site["cpu_ms_per_signup"]["site"], bare["cpu_ms_per_signup"]["site"]),
        "cpu_of_postgresql": (site["cpu_ms_per_signup"]["postgresql"], bare["cpu_ms_per_signup"]["postgresql"]),
        "p99": (site["answers"]["p99_ms"], bare["answers"]["p99_ms"]),
        "answers_per_second": (site["answers_per_second"], bare["answers_per_second"]),
    }
    return {"ratio_to_bare": {name: round(a / b, 2) if a and b else None for name, (a, b) in pairs.items()}}


def _summary(figures: dict[str, Any]) -> str:
    answers, relay, cpu = figures["answers"], figures["to_the_relay"], figures["cpu_ms_per_signup"]
    return (
        f"{figures['answers_per_second']} answers/s, p50 {answers['p50_ms']} ms, p99 {answers['p99_ms']} ms; "
        f"at the relay p99 {relay['p99_ms']} ms; CPU a sign-up {cpu}"
    )


def _limits(settings: Settings) -> dict[str, int]:
    names = ("host", "network", "domain", "hour")
    return {f"confirmations_per_{name}": getattr(settings, f"confirmations_per_{name}") for name in names}
