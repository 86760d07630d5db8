"""The benchmark from beginning to end: runs of ours and of the yardsticks in turns, then those with company."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
from newsletter.consent import wordings
from newsletter.content import issues
from newsletter.content.issues import Issue
from newsletter.keys import load_keyring
from newsletter.mail.mailings import issue_letters

MOST_SOURCE = 100_000  # letters of one turn of smtp-source: its rate does not change with more
SHARE = 0.6  # of the time that an issue is expected to take, in which all who come and go do so
PACED = 14.0  # letters a second, as some relays allow at first
PACED_FOR = 20.0  # seconds
# Over a long wire smtp-source sends one letter in ten, at least so many: each takes five round trips.
FAR, FEW = 10, 400


@dataclass(frozen=True)
class BenchOptions:
    """What the command line says."""

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


class DeliveryBenchmark:
    """One benchmark on one town."""

    def __init__(self, town: BenchEnvironment, given: BenchOptions, teller: ProgressOutput) -> None:
        self._town = town
        self._given = given
        self._teller = teller

    def perform(self) -> dict[str, Any]:
        """Do all of it; the figures under stable names."""
        given, town = self._given, self._town
        machine = costs.machine(town.home)
        drafts, octets, letter = self._prepare()
        with self._relay() as relay:
            rounds = [self._round(number, relay, next(drafts), octets, letter) for number in range(given.rounds)]
            trip = relay.round_trip_ms() if given.latency_ms else None
            held = self._with_snapshot(relay, next(drafts)) if given.snapshot else None
        ours = [each["ours"] for each in rounds]
        plain = _middle(ours, "letters_per_second")
        if held:
            held["ratio_to_without"] = round(held["letters_per_second"] / plain, 3)
        expected = given.letters / plain
        lively = self._lively(next(drafts), expected) if self._is_lively else None
        paced = self._paced(next(drafts)) if self._is_lively and given.leavers else None
        return {
            "letters_per_second": plain,
            "letters_per_second_since_approval": round(
                median(each["sent"] / each["seconds_since_approval"] for each in ours), 1
            ),
            **_against(rounds, "smtp_source"),
            **_against(rounds, "smtplib"),
            **{name: lively["compared"][name] if lively else None for name in ("lost", "doubled")},  # reader by reader
            "difference": _sum([*ours, held], "difference"),
            **{name: sum(each[name] for each in (*ours, held, lively) if each) for name in ("failed", "unknown")},
            "letters_per_commit": _middle(ours, "letters_per_commit"),
            "cpu_seconds_per_1000_letters": _each(ours, "cpu_seconds_per_1000_letters", median),
            "peak_memory_mb": _each(ours, "peak_memory_mb", max),
            "letter_octets": octets,
            "round_trip_ms": trip,
            "fsync_ms": costs.sync_ms(town.home) if "postgresql" in town.servers else None,
            "postgresql": town.server_version().partition(" ")[0],
            "given": asdict(given) | {"relay": bool(given.relay)},  # its URL may hold a password
            "machine": machine,
            "rounds": rounds,
            "snapshot": held,
            "lively": lively,
            "paced": paced,
        }

    @property
    def _is_lively(self) -> bool:
        """Whether there are runs with people meanwhile: only a sink of our own can tell what became of whose letter."""
        return not self._given.relay and bool(self._given.confirmations or self._given.leavers)

    def _prepare(self) -> tuple[Iterator[int], int, bytes]:
        """Readers and drafts; the issues' ids, and one of their letters."""
        town, given = self._town, self._given
        templates = templating.environment()
        with town.database.writing() as session:
            read, wording = sample_issue.found(session, templates)
        with self._teller.step(f"{given.letters:,} readers settle in") as told:
            begun, done = time.monotonic(), 0

            def more(number: int) -> None:
                nonlocal done
                done += number
                told(done, given.letters)

            ReaderRows(read, wording, clock.now()).settle_in(town.database, given.letters, more)
            town.vacuum()
        self._teller.line(f"{given.letters:,} readers have settled in, in {time.monotonic() - begun:.0f} s")
        wanted = given.rounds + given.snapshot + 2 * self._is_lively
        sample_issue.read_feed(town.database, given.feed, issues_wanted=wanted)
        drafts, octets = sample_issue.drafted(town.database, wanted, base_url=BASE_URL)
        self._teller.line(f"{wanted} issues are drafted; a letter has {octets:,} octets")
        with town.database.reading() as session:
            issue = session.get_one(Issue, drafts[0])
            shown = issue_letters.preview(session, issue, templates=templates, base_url=BASE_URL)
        return iter(drafts), octets, shown["source"].encode()

    def _relay(self) -> AbstractContextManager[BenchRelay]:
        if self._given.relay:
            return _given_relay(self._given.relay)
        return relays.counting(self._town.home, latency=self._given.latency_ms)

    def _round(self, number: int, relay: BenchRelay, issue: int, octets: int, letter: bytes) -> dict[str, Any]:
        """Ours, then the yardsticks."""
        what = f"round {number + 1} of {self._given.rounds}"
        found: dict[str, Any] = {"ours": self._ours(what, relay, issue).told, "smtp_source": None, "smtplib": None}
        if self._given.relay:
            return found
        far = bool(self._given.latency_ms)
        letters = min(self._given.letters, MOST_SOURCE)
        with self._teller.step(f"{what}: smtp-source") as told:
            measure = baselines.smtp_source(
                relay, letters=max(FEW, letters // FAR) if far else letters, octets=octets, told=told
            )
        found["smtp_source"] = _told(measure)
        self._teller.line(f"{what}: smtp-source {measure.rate:,.0f} letters/s")
        if far:
            with self._teller.step(f"{what}: smtplib"):
                measure = baselines.smtplib_threads(relay, connections=self._given.connections, letter=letter)
            found["smtplib"] = _told(measure)
            self._teller.line(f"{what}: smtplib {measure.rate:,.0f} letters/s")
        return found

    def _ours(
        self, what: str, relay: BenchRelay, issue: int, meant: AbstractContextManager[object] | None = None
    ) -> BenchRun:
        url = relay.url_for(connections=self._given.connections)
        with (
            self._town.staffed(relay, url, workers=self._given.processes) as staff,
            self._teller.step(f"{what}: newsletter") as told,
        ):
            run = runs.send(staff, issue, told, meant)
        self._teller.line(f"{what}: newsletter {run.rate:,.0f} letters/s, {run.sent:,} in {run.seconds:.1f} s")
        return run

    def _with_snapshot(self, relay: BenchRelay, issue: int) -> dict[str, Any]:
        with background_load.snapshot(self._town.database):
            return self._ours("with an open snapshot", relay, issue).told

    def _lively(self, issue: int, expected: float) -> dict[str, Any]:
        """At full speed into a sink that remembers, while some sign up and some leave."""
        given, town = self._given, self._town
        with town.database.reading() as session:
            read = newsletters.named(session, sample_issue.SLUG)
            wording = wordings.current(session, read.id, read.language)
        assert wording
        comers = background_load.Signups(town, read, wording, load_keyring(town.settings))
        goers = background_load.Unsubscribes(town, given.letters)
        with relays.remembering(town.home, latency=given.latency_ms) as relay:
            company = _both(
                comers.coming(given.confirmations, within=SHARE * expected),
                goers.going(given.leavers, within=SHARE * expected),
            )
            run = self._ours("with people meanwhile", relay, issue, company)
        letters = relay.letters()
        exact = background_load.compared(town, run.letter, letters, readers=given.letters)
        return {
            **run.told,
            "difference": None,  # the sink counts confirmations, too; `compared` says it reader by reader
            "compared": exact,
            "confirmations": comers.waited(letters) if given.confirmations else None,
            "leavers": goers.written_to(letters) if given.leavers else None,
        }

    def _paced(self, issue: int) -> dict[str, Any]:
        """For some seconds at the rate that some relays allow, while some leave whose letter is next."""
        given, town = self._given, self._town
        goers = background_load.Unsubscribes(town, given.letters)
        with relays.remembering(town.home, latency=given.latency_ms) as relay:
            url = relay.url_for(connections=given.connections, rate=PACED)
            with (
                town.staffed(relay, url, workers=given.processes),
                self._teller.step(f"at {PACED:g} letters/s") as told,
            ):
                with town.database.writing() as session:
                    issues.approve(
                        session, session.get_one(Issue, issue), actor=audit_log.system_user(), now=clock.now()
                    )
                while not relay.count():
                    time.sleep(0.05)
                with goers.going(given.leavers, within=PACED_FOR):
                    for second in range(int(PACED_FOR)):
                        told(second, int(PACED_FOR))
                        time.sleep(1)
                with town.database.writing() as session:
                    leaving = session.get_one(Issue, issue)
                    if leaving.status is issues.IssueStatus.SENDING:  # a small one may be through
                        issues.pause(session, leaving, actor=audit_log.system_user(), now=clock.now())
        letters = relay.letters()
        took = letters[-1].taken_at - letters[0].mail_at
        rate = round((len(letters) - 1) / took, 2) if took else None
        return {
            "rate": PACED,
            "letters": len(letters),
            "letters_per_second": rate,
            "leavers": goers.written_to(letters),
        }


@contextmanager
def _both(*each: AbstractContextManager[object]) -> Iterator[None]:
    with ExitStack() as stack:
        for one in each:
            stack.enter_context(one)
        yield


@contextmanager
def _given_relay(url: str) -> Iterator[BenchRelay]:
    yield BenchRelay("", 0, url=url)


def _told(measure: baselines.YardstickResult) -> dict[str, Any]:
    return {
        "letters_per_second": round(measure.rate, 1),
        "letters": measure.letters,
        "seconds": round(measure.seconds, 3),
        "cpu_seconds_per_1000_letters": round(measure.cpu * 1000 / measure.letters, 4),
    }


def _against(rounds: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """A yardstick's rate, the median of its turns, and the median of our rate divided by its, round by round."""
    pairs = [(each["ours"]["letters_per_second"], each[name]["letters_per_second"]) for each in rounds if each[name]]
    return {
        f"{name}_per_second": median(its for _, its in pairs) if pairs else None,
        f"ratio_to_{name}": round(median(ours / its for ours, its in pairs), 3) if pairs else None,
    }


def _middle(told: list[dict[str, Any]], name: str) -> Any:
    figures = [each[name] for each in told if each[name] is not None]
    return round(median(figures), 1) if figures else None


def _sum(told: list[dict[str, Any] | None], name: str) -> int | None:
    figures = [each[name] for each in told if each and each[name] is not None]
    return sum(figures) if figures else None


def _each(told: list[dict[str, Any]], name: str, of: Any) -> dict[str, float]:
    names = {key for each in told for key in each[name]}
    return {key: round(of([each[name].get(key, 0.0) for each in told]), 4) for key in sorted(names)}
