"""One issue of two releases at a relay that refuses its readers for a while."""

import json
import time

from newsletter.content.issues.issues import IssueStatus
from newsletter.mail.delivery.deliveries import DeliveryStatus
from tests.chaos import comparison
from tests.processes import running
from tests.upgrade import doctors
from tests.upgrade.mixed_service import DELAY, MixedService, wait_until_ready
from tests.upgrade.release import ReleaseProcesses
from tests.upgrade.roll import ARTICLES, ISSUE_TIMEOUT, VISITORS
from tests.upgrade.steps import Steps

REFUSED_LIMIT = 150  # letters that each pause may cost: 10 % of the last 200, and what both workers have under way
LOOK_AT = (0.2, 0.6)  # the parts of the issue after which the relay refuses readers


class Refusals(Steps):
    """The issue pauses twice; the command of each release resumes it once."""

    def __init__(self, service: MixedService) -> None:
        super().__init__("refusals")
        self._service = service

    def perform(self) -> None:
        """Perform it, and collect what is wrong in `errors`."""
        service = self._service
        both = (service.before, service.after)
        with running(*service.before.processes, *service.after.processes):
            for release in both:
                wait_until_ready(release)
            drafted = json.loads(
                service.before.command("issues", "draft", "morning", "--articles", str(ARTICLES), "--json")
            )
            service.approve(drafted["issue"], service.before)
            for part, release in zip(LOOK_AT, both, strict=True):
                with self.step(f"the issue pauses, and the release {release.release.name} resumes it"):
                    self._refuse(part, release)
            with self.step("the issue ends"):
                assert service.finish(within=ISSUE_TIMEOUT), service.status()
            self._compare()

    def _refuse(self, part: float, release: ReleaseProcesses) -> None:
        service = self._service
        assert service.until(lambda: service.taken() >= part * service.audience, within=ISSUE_TIMEOUT)
        service.relay.misbehave(delay=DELAY, refuse=1.0)
        began = time.monotonic()
        assert service.until(service.is_paused, within=60), service.status()
        took = time.monotonic() - began
        words = ("issues", "status", str(service.issue), "--json")
        told = [json.loads(each.command(*words)) for each in (service.before, service.after)]
        assert all(each["status"] == IssueStatus.PAUSED for each in told), told
        assert told[0]["reason"] == told[1]["reason"], told
        self.notes.append(f"{self.name}: paused after {took:.1f} s: {told[0]['reason']}")
        service.relay.misbehave(delay=DELAY)
        release.command("issues", "resume", str(service.issue))
        taken = service.taken()
        assert service.until(lambda: service.taken() >= taken + 100, within=30), service.status()

    def _compare(self) -> None:
        service = self._service
        owed = service.owed()
        arrivals = [one for one in service.arrivals() if one.to in owed or VISITORS not in one.to]
        verdict = comparison.compare(owed, service.letters.apart_from_links(arrivals))
        refused = {one.recipient for one in arrivals if one.reply_code == 550}
        with self.step("the letters that arrived"):
            assert not verdict.errors, verdict.errors
            assert (verdict.lost, verdict.doubled) == (0, 0), f"{verdict.lost} lost, {verdict.doubled} doubled"
            failed = {reader for reader, status in owed.items() if status is DeliveryStatus.FAILED}
            assert failed == refused, f"{len(refused)} readers were refused, {len(failed)} letters failed"
            assert len(refused) <= len(LOOK_AT) * REFUSED_LIMIT, f"{len(refused)} letters were refused"
        for release in (service.before, service.after):
            with self.step(f"the doctor of the release {release.release.name}"):
                assert not (wrong := doctors.unexpected(service, release)), wrong
        self.notes.append(f"{self.name}: {verdict.counts[DeliveryStatus.SENT]:,} sent, {len(refused)} refused")
