"""Held refusals wait for a person; no relay is tried again by itself."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import repeat

import pytest
from sqlalchemy import select

from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace import retries
from newsletter.mail.transport.transport import Outcome, Reply
from newsletter.queues.wakeups import Queue
from tests.builders import owed
from tests.transports import FakeMonotonic, FakeTransport
from tests.whole_service import WholeService
from workers import jobs

UNAUTHENTICATED = Reply(550, "5.7.26", "This mail is unauthenticated")


@dataclass
class RefusedIssue:
    """An issue that is being sent, in a whole service."""

    service: WholeService
    id: int

    def send(self, transport: FakeTransport) -> None:
        context = self.service.context
        dispatcher = replace(context.dispatcher, transport=transport, monotonic=transport.monotonic)
        jobs.run(Queue.BULK, replace(context, dispatcher=dispatcher))

    def statuses(self) -> list[DeliveryStatus]:
        with self.service.site.database.reading() as session:
            return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))

    def status(self) -> IssueStatus:
        with self.service.site.database.reading() as session:
            return session.get_one(Issue, self.id).status

    def resume(self) -> None:
        with self.service.site.database.writing() as session:
            issue = session.get_one(Issue, self.id)
            issue_pauses.resume(session, issue, actor="tests", now=self.service.clock())


def a_refused_issue(service: WholeService, readers: int) -> RefusedIssue:
    with service.site.database.writing() as session:
        letter = session.get_one(Letter, owed(session, readers)[0].letter_id)
        return RefusedIssue(service, letter.issue_id)


def refusing(*, after: int = 0) -> FakeTransport:
    """Return a transport that takes `after` letters and refuses all others because of us."""
    left = repeat(Outcome.TAKEN, after)
    return FakeTransport(lambda _: next(left, Outcome.LATER), monotonic=FakeMonotonic(), reply=UNAUTHENTICATED)


def accepting() -> FakeTransport:
    return FakeTransport(monotonic=FakeMonotonic())


def test_a_relay_that_refuses_because_of_us_costs_a_pause_and_no_letter(service):
    issue, relay = a_refused_issue(service, 60), refusing()
    issue.send(relay)
    assert issue.status() is IssueStatus.PAUSED
    assert 10 <= len(relay.begun) < 60, "the run ends as soon as the issue is paused"
    assert issue.statuses() == [DeliveryStatus.QUEUED] * 60
    service.clock.advance(hours=12)
    issue.send(relay)
    assert issue.statuses() == [DeliveryStatus.QUEUED] * 60
    issue.resume()
    fixed = accepting()
    issue.send(fixed)
    assert issue.statuses() == [DeliveryStatus.SENT] * 60
    assert len(set(fixed.taken)) == len(fixed.taken) == 60


def test_an_issue_resumed_days_later_is_paused_again_although_its_refused_letters_do_not_wait_any_more(service):
    issue = a_refused_issue(service, 60)
    issue.send(refusing())
    service.clock.advance(days=3)
    issue.resume()
    issue.send(refusing())
    assert issue.status() is IssueStatus.PAUSED
    assert issue.statuses().count(DeliveryStatus.FAILED) < 40


@pytest.mark.parametrize(("readers", "taken"), [(1, 0), (9, 0), (49, 1)])
def test_a_short_list_is_paused_like_a_long_one(service, readers, taken):
    issue = a_refused_issue(service, readers)
    issue.send(refusing(after=taken))
    service.clock.advance(seconds=retries.HOLD.total_seconds() + 1)
    relay = refusing()
    issue.send(relay)
    assert not relay.begun, "no letter is tried again by itself"
    assert issue.status() is IssueStatus.PAUSED
    with service.site.database.reading() as session:
        reason = transitions.pause_reason(session, session.get_one(Issue, issue.id))
    assert reason.startswith(f"Of the last {readers} letters {readers - taken} were refused for good")
    assert reason.endswith("550 5.7.26 This mail is unauthenticated")
    issue.resume()
    issue.send(accepting())
    assert issue.statuses() == [DeliveryStatus.SENT] * readers
    issue.send(accepting())
    assert issue.status() is IssueStatus.SENT


def test_if_few_of_many_letters_are_refused_they_fail_without_a_retry_and_the_issue_ends(service):
    issue = a_refused_issue(service, 20)
    issue.send(refusing(after=17))
    assert issue.status() is IssueStatus.SENDING
    service.clock.advance(seconds=retries.HOLD.total_seconds() + 1)
    relay = refusing()
    issue.send(relay)
    assert not relay.begun, "each was tried once"
    assert sorted(issue.statuses()) == [DeliveryStatus.FAILED] * 3 + [DeliveryStatus.SENT] * 17
    with service.site.database.reading() as session:
        failed = session.scalars(select(Delivery).where(has_status(DeliveryStatus.FAILED)))
        assert {(each.reply_code, each.reply_text) for each in failed} == {(550, "5.7.26 This mail is unauthenticated")}
        assert examination.examine(session) == []
    assert issue.status() is IssueStatus.SENT


def test_a_temporary_refusal_is_tried_again(service):
    issue = a_refused_issue(service, 3)
    issue.send(
        FakeTransport(lambda _: Outcome.LATER, monotonic=FakeMonotonic(), reply=Reply(451, "4.7.1", "Greylisted"))
    )
    service.clock.advance(minutes=34)
    again = accepting()
    issue.send(again)
    assert len(again.taken) == 3


def test_an_issue_can_be_paused_and_resumed_after_the_clock_was_set_back(service):
    issue = a_refused_issue(service, 1)
    with service.site.database.writing() as session:
        assert issue_pauses.pause(session, issue.id, reason="tests", now=service.clock())
    issue.resume()
    service.clock.advance(hours=-1)
    with service.site.database.writing() as session:
        assert issue_pauses.pause_all(session, reason="tests", now=service.clock()) == [issue.id]
        session.get_one(Issue, issue.id).run_at = service.clock() + timedelta(minutes=30)
    issue.resume()
    assert issue.status() is IssueStatus.SENDING
