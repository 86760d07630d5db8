"""One issue while a release replaces another, with both running for a while."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from newsletter.consent.subscribers.subscribers import Standing
from newsletter.content.issues.issues import Issue
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.recording import GROUP_SIZE
from tests.chaos import comparison
from tests.chaos.relay_log import TAKEN, Arrival
from tests.processes import running
from tests.upgrade import doctors, monitoring
from tests.upgrade.letters import ONE_CLICK, Browser
from tests.upgrade.mixed_service import CONNECTIONS, DELAY, MixedService, wait_until_ready
from tests.upgrade.release import ReleaseProcesses
from tests.upgrade.steps import Steps
from tests.waiting import eventually

ISSUE_TIMEOUT = 150.0  # seconds for a part of the issue to leave; a lease expires after 30
ARTICLES = 3  # in an issue; there are twelve
VISITORS = "visitors.example"  # the domain of readers who sign up while the program runs
RATE_WINDOW = 10.0  # seconds over which the relay's rate is measured
SLOW = 1.0  # seconds until the relay answers a letter while commands run
BURST = 1.15  # of the rate in such a window: turns that were reserved in advance, and an emptied Redis


class Roll(Steps):
    """`first` begins an issue, `second` joins in, the worker of `first` is killed, and `second` ends the issue."""

    def __init__(self, service: MixedService, first: ReleaseProcesses, second: ReleaseProcesses, rate: float) -> None:
        super().__init__(f"{first.release.name} -> {second.release.name}")
        self.names_in_redis: set[str] = set()  # that `first` wrote while it ran alone
        self._service, self._first, self._second, self._rate = service, first, second, rate
        self._only_first = (0.0, 0.0)  # when letters came from `first` only
        self._killed_at = 0.0

    def perform(self) -> None:
        """Perform it, and collect what is wrong in `errors`."""
        first, second = self._first, self._second
        began = time.monotonic()
        with running(*first.processes):
            wait_until_ready(first)
            with closing(Browser(first.base_url)) as at_first, closing(Browser(second.base_url)) as at_second:
                self._sign_up_before(at_first)
                self._begin(began)
                with running(*second.processes):
                    self._join()
                    self._share()
                    self._kill(at_first)
                    self._finish()
                    self._open_links(at_first, at_second)
                    self._compare()
        self.notes.append(f"{self.name}: {time.monotonic() - began:.0f} s")

    def _address(self, name: str) -> str:
        return f"{name}-{self._first.release.name}@{VISITORS}"

    def _sign_up_before(self, at_first: Browser) -> None:
        """Two readers sign up; one of them confirms, and will be owed the issue's last letter."""
        service = self._service
        for name in ("waiting", "never"):
            at_first.sign_up(self._address(name))
        self._waiting, self._never = (service.letter_to(self._address(name)) for name in ("waiting", "never"))
        at_first.press(service.letters.links(self._never)["confirm"])

    def _begin(self, began: float) -> None:
        """`first` drafts and approves an issue, sends half of it, and pauses it."""
        service, first = self._service, self._first
        drafted = json.loads(first.command("issues", "draft", "morning", "--articles", str(ARTICLES), "--json"))
        service.approve(drafted["issue"], first)
        with self.step("the first half leaves"):
            assert service.until(lambda: service.taken() >= 0.5 * service.audience, within=ISSUE_TIMEOUT)
        first.command("issues", "pause", str(service.issue))
        self._only_first = service.begun, time.monotonic()
        self.names_in_redis = service.monitor.between(began, time.monotonic())

    def _join(self) -> None:
        """`second` migrates, starts, agrees on how the issue stands, and resumes it."""
        service, first, second = self._service, self._first, self._second
        with self.step("migrating while the other release runs"):
            second.command("migrate")
        wait_until_ready(second)
        eventually(lambda: not service.claims(first.worker), within=30)
        with self.step("both commands say the same of a paused issue"):
            told = [
                json.loads(one.command("issues", "status", str(service.issue), "--json")) for one in (first, second)
            ]
            common = told[0].keys() & told[1].keys()  # a newer release may tell more
            assert [told[0][name] for name in common] == [told[1][name] for name in common], told
            assert told[0]["status"] == "paused", told
        with self.step("both sites say the same to what monitors them"):
            self.notes += monitoring.compare(service.before.base_url, service.after.base_url)
        with self.step("the other release resumes"):
            second.command("issues", "resume", str(service.issue))

    def _share(self) -> None:
        """Both send; Redis is emptied; a command of one release stops the workers of both."""
        service, first, second = self._service, self._first, self._second
        with self.step("both workers send at the same time"):
            assert service.until(
                lambda: service.claims(first.worker) and service.claims(second.worker), within=ISSUE_TIMEOUT
            )
        with self.step("both workers count each other"):
            (company,) = service.keys("company")
            assert (number := service.redis.zcard(company)) == 2, f"{number} workers share {company}"
            assert service.until(lambda: service.taken() >= 0.6 * service.audience, within=ISSUE_TIMEOUT)
        service.redis.flushall()
        service.relay.misbehave(delay=SLOW)  # so that enough letters are left, however long a command takes
        with self.step("the other release's command pauses, for both workers"):
            second.command("issues", "pause", str(service.issue))
            eventually(lambda: not (service.claims(first.worker) or service.claims(second.worker)), within=60)
            taken = service.taken()
            time.sleep(3)
            assert service.taken() == taken, f"{service.taken() - taken} letters left while the issue was paused"
        began = time.monotonic()
        with self.step("the command resumes what the other release's has paused"):
            first.command("issues", "resume", str(service.issue))
        self._command_took = time.monotonic() - began

    def _add_digest(self) -> None:
        """`first` adds a digest that is due at a full minute soon, when only `second` has a worker."""
        due = datetime.now(UTC) + timedelta(minutes=1, seconds=max(8, 4 * self._command_took))
        name, cron = f"Digest of {self._first.release.name}", f"{due.minute} {due.hour} * * *"
        words = ("--newsletter", "morning", "--cron", cron, "--name", name, "--articles", "1")
        self._first.command("digests", "add", *words)
        assert name in self._second.command("digests", "list")

    def _kill(self, at_first: Browser) -> None:
        """Kill `first`'s worker while it has letters; from now on `second` answers what `first`'s site wakes."""
        service, first = self._service, self._first
        with self.step("the worker that is killed has letters"):
            assert service.until(lambda: service.claims(first.worker), within=30)
        pid = first.worker.pid
        first.worker.kill()
        self._killed_at = time.monotonic()
        held = service.claims_of(pid)
        with self.step("the other release's worker answers a sign-up"):
            at_first.press(service.letters.links(self._never)["never"])
            at_first.sign_up(self._address("never"))
            asked_at = time.monotonic()
            at_first.sign_up(self._address("late"))
            self._late = service.letter_to(self._address("late"))
            self.notes.append(
                f"{self.name}: a sign-up at the site of {first.release.name} was answered after "
                f"{self._late.end_at - asked_at:.1f} s by the other worker"
            )
        service.relay.misbehave(delay=DELAY)
        with self.step("the other release lists a digest"):
            self._add_digest()
        with self.step("the other release reclaims the letters of the killed worker"):
            assert held, "it had none"
            eventually(lambda: not service.claims_of(pid), within=ISSUE_TIMEOUT, every=0.2)
            took = time.monotonic() - self._killed_at
            self.notes.append(f"{self.name}: {held} letters of the killed worker were reclaimed after {took:.0f} s")

    def _finish(self) -> None:
        """End `first`'s schedule, let the issue leave and the digest be drafted."""
        service = self._service
        self._first.beat.stop()
        with self.step("the issue ends"):
            assert service.finish(within=ISSUE_TIMEOUT), service.status()
        with self.step("the other release drafts the digest"):
            drafts = select(func.count()).select_from(Issue).where(Issue.title.is_not(None), Issue.id > service.issue)
            eventually(lambda: service.query(drafts), within=90, every=0.5)

    def _open_links(self, at_first: Browser, at_second: Browser) -> None:
        """Links in letters of each release work on the site of the other one."""
        letters = self._service.letters
        crowd = [one for one in self._service.arrivals() if one.outcome == TAKEN and VISITORS not in one.to]
        start, end = self._only_first
        with self.step("links of the first release on the site of the second"):
            self._leave([one for one in crowd if start <= one.mail_at and one.end_at <= end], at_second)
            at_second.press(letters.links(self._waiting)["confirm"])
            self._stands("waiting", Standing.SUBSCRIBED)
        with self.step("links of the second release on the site of the first"):
            self._leave([one for one in crowd if one.mail_at > self._killed_at], at_first)
            at_first.press(letters.links(self._late)["confirm"])
            self._stands("late", Standing.SUBSCRIBED)

    def _leave(self, arrivals: list[Arrival], browser: Browser) -> None:
        """One reader leaves by the mail program's button, one on the page, one by the preferences."""
        links = self._service.letters.links
        assert len(arrivals) >= 3, f"it sent {len(arrivals)} letters"
        by_button, on_page, by_preferences = arrivals[-3:]
        for path in links(by_button).values():
            browser.get(path)
        browser.post(links(by_button)["u"], ONE_CLICK)
        browser.press(links(on_page)["u"])
        browser.get(links(by_preferences)["preferences"])
        browser.post(links(by_preferences)["preferences"], {"all": "yes"})
        for one in (by_button, on_page, by_preferences):
            assert self._service.standing(one.to) is Standing.LEFT, one.to
            self._service.audience -= 1

    def _stands(self, name: str, standing: Standing) -> None:
        assert (found := self._service.standing(self._address(name))) is standing, found
        self._service.audience += 1

    def _compare(self) -> None:
        """Compare what the database says with what arrived; let both doctors examine it."""
        service = self._service
        owed = service.owed()
        arrivals = [one for one in service.arrivals() if one.to in owed or VISITORS not in one.to]
        verdict = comparison.compare(owed, service.letters.apart_from_links(arrivals))
        allowed = CONNECTIONS + 2 * GROUP_SIZE
        with self.step("the letters that arrived"):
            assert not verdict.errors, verdict.errors
            assert not verdict.lost, f"{verdict.lost} are lost"
            assert verdict.doubled <= allowed, f"{verdict.doubled} came twice, {allowed} may"
        with self.step("an address that asked never to be written to gets no letter of the other release"):
            never = self._address("never")
            assert owed[never] is DeliveryStatus.WITHHELD, owed[never]
            letters = [one for one in service.relay.arrivals() if one.to == never]
            assert len(letters) == 1, f"it got {len(letters)} letters, one of them before"
        with self.step("the sums"):
            counts = {status: n for status, n in verdict.counts.items() if n}
            sent = len(owed) - 1
            assert counts == {DeliveryStatus.SENT: sent, DeliveryStatus.WITHHELD: 1}, counts
        with self.step("the relay's rate"):
            fastest = _fastest(arrivals)
            assert fastest <= self._rate * BURST, f"{fastest:.1f} letters a second, {self._rate:g} are allowed"
        for release in (self._first, self._second):
            with self.step(f"the doctor of the release {release.release.name}"):
                assert not (wrong := doctors.unexpected(service, release)), wrong
        self.notes.append(
            f"{self.name}: {verdict.counts[DeliveryStatus.SENT]:,} sent, {verdict.lost} lost, "
            f"{verdict.doubled} doubled ({allowed} may be), at most {_fastest(arrivals):.1f} letters a second "
            f"of {self._rate:g}"
        )


def _fastest(arrivals: list[Arrival]) -> float:
    """Return the largest number of letters a second over a window."""
    ends = sorted(one.end_at for one in arrivals if one.outcome == TAKEN)
    most, left = 0, 0
    for right, end in enumerate(ends):
        while ends[left] < end - RATE_WINDOW:
            left += 1
        most = max(most, right - left + 1)
    return most / RATE_WINDOW
