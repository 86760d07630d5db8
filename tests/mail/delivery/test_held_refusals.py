"""Letters that were refused for good because of us: they wait for a person, and nobody is asked again by itself."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import repeat

import pytest
from sqlalchemy import select

from newsletter.content import issues
from newsletter.content.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, stands
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
class Office:
    """An issue that is leaving to so many readers, and a relay that holds something against us."""

    stage: WholeService
    issue: int

    def ring(self, transport: FakeTransport) -> None:
        context = self.stage.context
        dispatcher = replace(context.dispatcher, transport=transport, ticks=transport.monotonic)
        jobs.run(Queue.BULK, replace(context, dispatcher=dispatcher))

    def statuses(self) -> list[DeliveryStatus]:
        with self.stage.site.database.reading() as session:
            return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))

    def status(self) -> IssueStatus:
        with self.stage.site.database.reading() as session:
            return session.get_one(Issue, self.issue).status

    def resume(self) -> None:
        with self.stage.site.database.writing() as session:
            issue = session.get_one(Issue, self.issue)
            issue_pauses.resume(session, issue, actor="tests", now=self.stage.clock())


def an_office(stage: WholeService, readers: int) -> Office:
    with stage.site.database.writing() as session:
        letter = session.get_one(Letter, owed(session, readers)[0].letter_id)
        return Office(stage, letter.issue_id)


def refusing(*, after: int = 0) -> FakeTransport:
    """It takes so many letters, and holds something against us in all that follow."""
    left = repeat(Outcome.TAKEN, after)
    return FakeTransport(lambda _: next(left, Outcome.LATER), monotonic=FakeMonotonic(), reply=UNAUTHENTICATED)


def willing() -> FakeTransport:
    return FakeTransport(monotonic=FakeMonotonic())


def test_a_relay_that_holds_something_against_us_costs_a_pause_and_no_letter(stage):
    office, relay = an_office(stage, 60), refusing()
    office.ring(relay)
    assert office.status() is IssueStatus.PAUSED
    assert 10 <= len(relay.begun) < 60, "the ring ends as soon as it is clear"
    assert office.statuses() == [DeliveryStatus.QUEUED] * 60
    stage.clock.pass_(hours=12)
    office.ring(relay)
    assert office.statuses() == [DeliveryStatus.QUEUED] * 60
    office.resume()
    mended = willing()
    office.ring(mended)
    assert office.statuses() == [DeliveryStatus.SENT] * 60
    assert len(set(mended.taken)) == len(mended.taken) == 60


@pytest.mark.parametrize(("readers", "taken"), [(1, 0), (9, 0), (49, 1)])
def test_a_short_list_is_no_more_given_up_than_a_long_one(stage, readers, taken):
    office = an_office(stage, readers)
    office.ring(refusing(after=taken))
    stage.clock.pass_(seconds=retries.HOLD.total_seconds() + 1)
    relay = refusing()
    office.ring(relay)
    assert not relay.begun, "nobody is asked again by itself"
    assert office.status() is IssueStatus.PAUSED
    with stage.site.database.reading() as session:
        reason = issues.pause_reason(session, session.get_one(Issue, office.issue))
    assert reason.startswith(f"Of the last {readers} letters {readers - taken} were refused for good")
    assert reason.endswith("550 5.7.26 This mail is unauthenticated")
    office.resume()
    office.ring(willing())
    assert office.statuses() == [DeliveryStatus.SENT] * readers
    office.ring(willing())
    assert office.status() is IssueStatus.SENT


def test_where_few_of_many_are_refused_nobody_is_asked_again_and_the_issue_ends(stage):
    office = an_office(stage, 20)
    office.ring(refusing(after=17))
    assert office.status() is IssueStatus.SENDING
    stage.clock.pass_(seconds=retries.HOLD.total_seconds() + 1)
    relay = refusing()
    office.ring(relay)
    assert not relay.begun, "each was tried once"
    assert sorted(office.statuses()) == [DeliveryStatus.FAILED] * 3 + [DeliveryStatus.SENT] * 17
    with stage.site.database.reading() as session:
        failed = session.scalars(select(Delivery).where(stands(DeliveryStatus.FAILED)))
        assert {(each.reply_code, each.reply_text) for each in failed} == {(550, "5.7.26 This mail is unauthenticated")}
        assert examination.examine(session) == []
    assert office.status() is IssueStatus.SENT


def test_what_was_only_put_off_is_tried_again(stage):
    office = an_office(stage, 3)
    office.ring(
        FakeTransport(lambda _: Outcome.LATER, monotonic=FakeMonotonic(), reply=Reply(451, "4.7.1", "Greylisted"))
    )
    stage.clock.pass_(minutes=34)
    again = willing()
    office.ring(again)
    assert len(again.taken) == 3


def test_an_issue_can_be_paused_and_resumed_when_the_clock_was_set_back(stage):
    office = an_office(stage, 1)
    with stage.site.database.writing() as session:
        assert issue_pauses.pause(session, office.issue, reason="tests", now=stage.clock())
    office.resume()
    stage.clock.pass_(hours=-1)
    with stage.site.database.writing() as session:
        assert issue_pauses.pause_all(session, reason="tests", now=stage.clock()) == [office.issue]
        session.get_one(Issue, office.issue).run_at = stage.clock() + timedelta(minutes=30)
    office.resume()
    assert office.status() is IssueStatus.SENDING
