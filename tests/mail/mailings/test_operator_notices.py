"""Operators are told by mail what waits for them: once, only what they can act on, and only if they want."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from newsletter import audit_log
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.letters.letterheads import ServiceLetterhead
from newsletter.mail.mailings import operator_notices
from newsletter.operators import mail_switches, operators
from newsletter.operators.grants import Grant
from newsletter.operators.mail_switches import NoticeKind
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.templating import environment
from tests.builders import a_newsletter, an_issue
from tests.clock import NOON
from tests.letters import unified
from tests.whole_service import WholeService, whole_service

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REASON = "Of the last 10 letters 10 were refused. Most often: 550 5.7.1 Blocked for spam"


@pytest.fixture
def service(sqlite_url, tmp_path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path, service_sender="desk@press.example") as service:
        with service.site.database.writing() as session:
            a_newsletter(session)
        yield service


def enlist(service, name: str, role: Role, *, newsletter_id: int | None = None, can_sign_in: bool = True) -> int:
    """Add an operator an hour before noon; return the id."""
    with service.site.database.writing() as session:
        operator = operators.add(session, f"{name}@press.example", role=role, actor="tests", now=NOON - HOUR)
        operator.password_hash = "set" if can_sign_in else None
        session.query(Grant).filter_by(operator_id=operator.id).update({"newsletter_id": newsletter_id})
        return operator.id


def draft(service, **values) -> int:
    with service.site.database.writing() as session:
        return an_issue(session, newsletter_of(session), status=IssueStatus.DRAFTED, **values).id


def newsletter_of(session):
    return session.query(operator_notices.Newsletter).first()


def told(service) -> list[tuple[str, str]]:
    """Run the job and send the letters; return to whom each went and its subject."""
    service.run(Queue.UPKEEP, Queue.URGENT)
    return sorted((letter["To"].partition("@")[0], letter["Subject"]) for letter in service.letters())


def text(service, to: str) -> str:
    (letter,) = service.letters(to=to)
    return unified(letter.get_body(("plain",)).get_content())


def test_publishers_are_told_once_that_an_issue_waits_for_approval(service):
    for name, role in (("vera", Role.VIEWER), ("eva", Role.EDITOR), ("paul", Role.PUBLISHER), ("ada", Role.ADMIN)):
        enlist(service, name, role)
    number = draft(service)
    subject = "Waiting for approval: A bridge opens"
    assert told(service) == [("ada", subject), ("paul", subject)]
    assert told(service) == [("ada", subject), ("paul", subject)]
    letter = text(service, "paul")
    for fact in ("Articles: 2", "To be sent from: Saturday 14 March 2026 at 12:00 (UTC)"):
        assert fact in letter
    assert f"\nhttp://localhost/desk/issues/{number}\n" in letter


def test_operators_of_other_newsletters_and_before_their_first_sign_in_are_not_told(service):
    with service.site.database.writing() as session:
        other = a_newsletter(session, "evening").id
    enlist(service, "other", Role.ADMIN, newsletter_id=other)
    enlist(service, "invited", Role.ADMIN, can_sign_in=False)
    enlist(service, "own", Role.PUBLISHER, newsletter_id=1)
    draft(service)
    assert [name for name, _ in told(service)] == ["own"]


def test_nobody_is_told_what_happened_before_they_were_an_operator_or_days_ago(service):
    enlist(service, "paul", Role.PUBLISHER)
    draft(service)
    with service.site.database.writing() as session:
        session.query(Issue).update({"drafted_at": NOON - 2 * HOUR})
    assert told(service) == []
    draft(service, titles=("Another",))
    service.clock.advance(days=3, minutes=1)
    assert told(service) == []


def test_publishers_are_told_that_the_service_has_paused_an_issue_each_time(service):
    enlist(service, "paul", Role.PUBLISHER)
    with service.site.database.writing() as session:
        number = an_issue(session, newsletter_of(session)).id
    for times in (1, 2):
        service.clock.advance(minutes=10)
        with service.site.database.writing() as session:
            assert issue_pauses.pause(session, number, reason=REASON, now=service.clock())
        assert told(service) == [("paul", "Paused: A bridge opens")] * times
        with service.site.database.writing() as session:
            issue = session.get_one(Issue, number)
            issue_pauses.resume(session, issue, actor="operator:1", now=service.clock())
    assert f"\n{REASON}\n" in unified(service.letters()[0].get_body(("plain",)).get_content())


def test_an_issue_that_a_person_paused_is_no_news(service):
    enlist(service, "paul", Role.PUBLISHER)
    with service.site.database.writing() as session:
        issue = an_issue(session, newsletter_of(session))
        transitions.pause(session, issue, actor="operator:7", now=NOON)
    assert told(service) == []


def test_editors_are_told_of_a_feed_that_has_failed_for_a_day(service):
    enlist(service, "eva", Role.EDITOR)
    enlist(service, "vera", Role.VIEWER)
    with service.site.database.writing() as session:
        url, error = "https://me:secret@town.example/feed", "This address answers with 404."
        feed = Feed(newsletter_id=1, url=url, title="Town", added_at=NOON, next_try_at=NOON + 30 * DAY)
        feed.failures, feed.failing_since, feed.error = 9, NOON, error
        session.add(feed)
    service.clock.advance(hours=23)
    assert told(service) == []
    service.clock.advance(hours=1)
    assert told(service) == [("eva", "A feed has failed for a day: Town")]
    letter = text(service, "eva")
    assert "https://town.example/feed" in letter
    assert "secret" not in letter
    assert error in letter


@pytest.mark.parametrize("change", [{"failures": 0}, {"paused_at": NOON}])
def test_a_feed_that_works_again_or_is_paused_is_no_news(service, change):
    enlist(service, "eva", Role.EDITOR)
    with service.site.database.writing() as session:
        feed = Feed(newsletter_id=1, url="https://a.example", added_at=NOON, next_try_at=NOON + 30 * DAY)
        feed.failures, feed.failing_since = 9, NOON
        session.add(feed)
        for name, value in change.items():
            setattr(feed, name, value)
    service.clock.advance(days=2)
    assert told(service) == []


def test_each_notice_can_be_switched_off(service):
    paul = enlist(service, "paul", Role.PUBLISHER)
    with service.site.database.writing() as session:
        operator = session.get_one(operators.Operator, paul)
        on = {NoticeKind.ISSUE_PAUSED, NoticeKind.FEED_FAILING}
        for _ in range(2):
            mail_switches.switch(session, operator, on, actor=f"operator:{paul}", now=NOON)
        entries = audit_log.about(session, subject=f"operator:{paul}", verb="operator's mail changed")
        assert [entry.fields for entry in entries] == [{"off": ["issue_waits"]}]
        assert mail_switches.switched_on(operator) == on
    draft(service)
    assert told(service) == []


def test_many_notices_are_owed_in_batches_and_each_once(begin, reading):
    letterhead = ServiceLetterhead("desk@press.example", "https://desk.press.example")
    with begin() as session:
        newsletter = a_newsletter(session)
        for number in range(6):
            operator = operators.add(session, f"o{number}@press.example", role=Role.ADMIN, actor="t", now=NOON)
            operator.password_hash = "set"
        for _ in range(5):
            an_issue(session, newsletter, status=IssueStatus.DRAFTED)
    owed = [
        operator_notices.owe_due(reading, begin, letterhead=letterhead, templates=environment, now=NOON)
        for _ in range(3)
    ]
    assert owed == [25, 5, 0]
