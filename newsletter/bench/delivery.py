"""The delivery benchmark: rounds of newsletter and baselines in turns, then runs under load and at a limited rate."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from newsletter import audit_log, clock, newsletters, templating
from newsletter.bench import background_load, baselines, costs, relays, runs, sample_issue
from newsletter.bench.environment import BASE_URL, BenchEnvironment
from newsletter.bench.readers import ReaderRows
from newsletter.bench.relays import BenchRelay
from newsletter.bench.report import ProgressOutput
from newsletter.bench.runs import BenchRun
from newsletter.consent.wordings import wordings
from newsletter.content.issues import approvals, issues, transitions
from newsletter.content.issues.issues import Issue
from newsletter.keys import load_keyring
from newsletter.mail.mailings import issue_layout

SMTP_SOURCE_LETTERS = 100_000  # at most in one round: smtp-source's rate does not change with more
LOAD_SHARE = 0.6  # of an issue's expected duration, over which sign-ups and unsubscribes are spread
PACED_RATE = 14.0  # letters a second, the limit of some relays for new senders
PACED_SECONDS = 20.0
# With latency smtp-source sends one letter in ten, but at least 400: each takes five round trips.
LATENCY_DIVISOR, LATENCY_MINIMUM = 10, 400


@dataclass(frozen=True)
class BenchOptions:
    """The command line's options; the field names are JSON keys of the report."""

    letters: int
    connections: int
    processes: int
    rounds: int
    latency_ms: float = 0
    snapshot: bool = True
    confirmations: int = 300
    leavers: int = 100
    feed: str | None = None
    relay: str = ""
    languages: tuple[str, ...] = ()  # of the readers, in turns; none: the newsletter's


class DeliveryBenchmark:
    """One run of the whole benchmark."""

    def __init__(self, environment: BenchEnvironment, options: BenchOptions, progress: ProgressOutput) -> None:
        self._environment = environment
        self._options = options
        self._progress = progress

    def run(self) -> dict[str, Any]:
        """Run everything and return the figures under stable names; raises NewsletterError if a run fails."""
        options, environment = self._options, self._environment
        machine = costs.machine(environment.home)
        drafts, octets, letter = self._prepare()
        with self._relay() as relay:
            rounds = [self._round(number, relay, next(drafts), octets, letter) for number in range(options.rounds)]
            round_trip = relay.round_trip_ms() if options.latency_ms else None
            snapshot = self._with_snapshot(relay, next(drafts)) if options.snapshot else None
        ours = [each["ours"] for each in rounds]
        rate = _median(ours, "letters_per_second")
        if snapshot:
            snapshot["ratio_to_without"] = round(snapshot["letters_per_second"] / rate, 3)
        expected_seconds = options.letters / rate
        loaded = self._under_load(next(drafts), expected_seconds) if self._has_load else None
        paced = self._paced(next(drafts)) if self._has_load and options.leavers else None
        return {
            **_summary(rounds, snapshot, loaded),
            "letter_octets": octets,
            "round_trip_ms": round_trip,
            "fsync_ms": costs.sync_ms(environment.home) if "postgresql" in environment.servers else None,
            "postgresql": environment.server_version().partition(" ")[0],
            "given": asdict(options) | {"relay": bool(options.relay)},  # its URL may hold a password
            "machine": machine,
            "rounds": rounds,
            "snapshot": snapshot,
            "lively": loaded,
            "paced": paced,
        }

    @property
    def _has_load(self) -> bool:
        """Whether to run under load; that needs a sink that records each letter."""
        return not self._options.relay and bool(self._options.confirmations or self._options.leavers)

    def _prepare(self) -> tuple[Iterator[int], int, bytes]:
        """Insert the readers and draft the issues; return the issues' ids, a letter's octets, and one letter."""
        database, options = self._environment.database, self._options
        templates = templating.environment
        with database.writing() as session:
            newsletter, wording = sample_issue.add_newsletter(session)
        with self._progress.step(f"inserting {options.letters:,} readers") as show_progress:
            started = time.monotonic()
            keyring = load_keyring(self._environment.settings)
            readers = ReaderRows(newsletter, wording, keyring, clock.now(), options.languages)
            readers.insert(database, options.letters, show_progress)
            self._environment.vacuum()
        self._progress.line(f"inserted {options.letters:,} readers in {time.monotonic() - started:.0f} s")
        number = options.rounds + options.snapshot + 2 * self._has_load
        sample_issue.fetch_feed(database, options.feed)
        drafts, octets = sample_issue.draft_many(database, number, base_url=BASE_URL)
        self._progress.line(f"drafted {number} issues; a letter has {octets:,} octets")
        with database.reading() as session:
            issue = session.get_one(Issue, drafts[0])
            letter = issue_layout.preview(session, issue, templates=templates, base_url=BASE_URL)["source"]
        return iter(drafts), octets, letter.encode()

    def _relay(self) -> AbstractContextManager[BenchRelay]:
        if self._options.relay:
            return nullcontext(BenchRelay("", 0, url=self._options.relay))
        return relays.counting_sink(self._environment.home, latency=self._options.latency_ms)

    def _round(self, number: int, relay: BenchRelay, issue: int, octets: int, letter: bytes) -> dict[str, Any]:
        """Send an issue with the newsletter, then measure the baselines."""
        name = f"round {number + 1} of {self._options.rounds}"
        figures: dict[str, Any] = {"ours": self._send(name, relay, issue).figures, "smtp_source": None, "smtplib": None}
        if self._options.relay:
            return figures
        letters = min(self._options.letters, SMTP_SOURCE_LETTERS)
        if self._options.latency_ms:
            letters = max(LATENCY_MINIMUM, letters // LATENCY_DIVISOR)
        with self._progress.step(f"{name}: smtp-source") as show_progress:
            result = baselines.smtp_source(relay, letters=letters, octets=octets, show_progress=show_progress)
        figures["smtp_source"] = _baseline_figures(result)
        self._progress.line(f"{name}: smtp-source {result.rate:,.0f} letters/s")
        if self._options.latency_ms:
            with self._progress.step(f"{name}: smtplib"):
                result = baselines.smtplib_threads(relay, connections=self._options.connections, letter=letter)
            figures["smtplib"] = _baseline_figures(result)
            self._progress.line(f"{name}: smtplib {result.rate:,.0f} letters/s")
        return figures

    def _send(
        self, name: str, relay: BenchRelay, issue: int, meanwhile: AbstractContextManager[object] | None = None
    ) -> BenchRun:
        url = relay.url_for(connections=self._options.connections)
        with (
            self._environment.running_workers(relay, url, workers=self._options.processes) as workers,
            self._progress.step(f"{name}: newsletter") as show_progress,
        ):
            run = runs.send(workers, issue, show_progress, meanwhile)
        self._progress.line(f"{name}: newsletter {run.rate:,.0f} letters/s, {run.sent:,} in {run.seconds:.1f} s")
        return run

    def _with_snapshot(self, relay: BenchRelay, issue: int) -> dict[str, Any]:
        with background_load.snapshot(self._environment.database):
            return self._send("with an open snapshot", relay, issue).figures

    def _under_load(self, issue: int, expected_seconds: float) -> dict[str, Any]:
        """Send at full speed into the recording sink during sign-ups and unsubscribes."""
        options, environment = self._options, self._environment
        with environment.database.reading() as session:
            newsletter = newsletters.named(session, sample_issue.SLUG)
            wording = wordings.current(session, newsletter.id, newsletter.language)
        assert wording
        signups = background_load.SignupLoad(environment, newsletter, wording, load_keyring(environment.settings))
        unsubscribes = background_load.UnsubscribeLoad(environment, options.letters)
        with relays.recording_sink(environment.home, latency=options.latency_ms) as relay:
            load = _together(
                signups.running(options.confirmations, within=LOAD_SHARE * expected_seconds),
                unsubscribes.running(options.leavers, within=LOAD_SHARE * expected_seconds),
            )
            run = self._send("with sign-ups and unsubscribes", relay, issue, load)
        letters = relay.letters()
        return {
            **run.figures,
            "difference": None,  # the sink counts confirmations too; `compared` is exact for each reader
            "compared": background_load.compare(environment, run.letter, letters, readers=options.letters),
            "confirmations": signups.figures(letters) if options.confirmations else None,
            "leavers": unsubscribes.figures(letters) if options.leavers else None,
        }

    def _paced(self, issue_id: int) -> dict[str, Any]:
        """Send for some seconds at a low rate limit, while readers unsubscribe whose letter is next."""
        options, environment = self._options, self._environment
        unsubscribes = background_load.UnsubscribeLoad(environment, options.letters)
        with relays.recording_sink(environment.home, latency=options.latency_ms) as relay:
            url = relay.url_for(connections=options.connections, rate=PACED_RATE)
            with (
                environment.running_workers(relay, url, workers=options.processes),
                self._progress.step(f"limited to {PACED_RATE:g} letters/s") as show_progress,
            ):
                self._approve(issue_id)
                while not relay.count():
                    time.sleep(0.05)
                with unsubscribes.running(options.leavers, within=PACED_SECONDS):
                    for second in range(int(PACED_SECONDS)):
                        show_progress(second, int(PACED_SECONDS))
                        time.sleep(1)
                self._pause(issue_id)
        letters = relay.letters()
        seconds = letters[-1].taken_at - letters[0].mail_at
        return {
            "rate": PACED_RATE,
            "letters": len(letters),
            "letters_per_second": round((len(letters) - 1) / seconds, 2) if seconds else None,
            "leavers": unsubscribes.figures(letters),
        }

    def _approve(self, issue_id: int) -> None:
        with self._environment.database.writing() as session:
            issue = session.get_one(Issue, issue_id)
            approvals.approve(session, issue, actor=audit_log.system_user(), now=clock.now())

    def _pause(self, issue_id: int) -> None:
        with self._environment.database.writing() as session:
            issue = session.get_one(Issue, issue_id)
            if issue.status is issues.IssueStatus.SENDING:  # a small issue may be sent already
                transitions.pause(session, issue, actor=audit_log.system_user(), now=clock.now())


@contextmanager
def _together(*blocks: AbstractContextManager[object]) -> Iterator[None]:
    with ExitStack() as stack:
        for block in blocks:
            stack.enter_context(block)
        yield


def _baseline_figures(result: baselines.BaselineResult) -> dict[str, Any]:
    return {
        "letters_per_second": round(result.rate, 1),
        "letters": result.letters,
        "seconds": round(result.seconds, 3),
        "cpu_seconds_per_1000_letters": round(result.cpu * 1000 / result.letters, 4),
    }


def _summary(
    rounds: list[dict[str, Any]], snapshot: dict[str, Any] | None, loaded: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the figures over several runs."""
    ours = [each["ours"] for each in rounds]
    since_approval = median(each["sent"] / each["seconds_since_approval"] for each in ours)
    return {
        "letters_per_second": _median(ours, "letters_per_second"),
        "letters_per_second_since_approval": round(since_approval, 1),
        **_comparison_with(rounds, "smtp_source"),
        **_comparison_with(rounds, "smtplib"),
        **{name: loaded["compared"][name] if loaded else None for name in ("lost", "doubled")},
        "difference": _sum([*ours, snapshot], "difference"),
        **{name: sum(each[name] for each in (*ours, snapshot, loaded) if each) for name in ("failed", "unknown")},
        "letters_per_commit": _median(ours, "letters_per_commit"),
        "cpu_seconds_per_1000_letters": _by_process(ours, "cpu_seconds_per_1000_letters", median),
        "peak_memory_mb": _by_process(ours, "peak_memory_mb", max),
    }


def _comparison_with(rounds: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return a baseline's median rate, and the median over the rounds of our rate divided by the baseline's."""
    pairs = [(each["ours"]["letters_per_second"], each[name]["letters_per_second"]) for each in rounds if each[name]]
    return {
        f"{name}_per_second": median(baseline for _, baseline in pairs) if pairs else None,
        f"ratio_to_{name}": round(median(ours / baseline for ours, baseline in pairs), 3) if pairs else None,
    }


def _median(each_run: list[dict[str, Any]], name: str) -> Any:
    values = [run[name] for run in each_run if run[name] is not None]
    return round(median(values), 1) if values else None


def _sum(each_run: list[dict[str, Any] | None], name: str) -> int | None:
    values = [run[name] for run in each_run if run and run[name] is not None]
    return sum(values) if values else None


def _by_process(each_run: list[dict[str, Any]], name: str, combine: Any) -> dict[str, float]:
    processes = {process for run in each_run for process in run[name]}
    return {each: round(combine([run[name].get(each, 0.0) for run in each_run]), 4) for each in sorted(processes)}
