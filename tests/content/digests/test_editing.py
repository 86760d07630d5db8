"""Editing digests: changed, paused, resumed and removed, without making up for runs of before."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.audit_log import AuditEntry
from newsletter.content.digests import digests, drafting, editing
from newsletter.content.digests.digests import Digest, WhenLate
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish

SEVEN = datetime(2026, 3, 15, 6, tzinfo=UTC)  # 07:00 in Berlin, the morning after NOON
DAY = timedelta(days=1)


@pytest.fixture
def desk(begin):
    """A session with a daily digest at 07:00 of a newsletter with an article."""
    with begin() as session:
        newsletter = a_newsletter(session)
        publish(session, a_feed(session, newsletter), "bus")
        digest = digests.add(session, newsletter, name="Daily", cron="0 7 * * *", actor="tests", now=NOON)
        yield session, digest


def edit(session, how, *, now=SEVEN, **values) -> Digest:
    return how(
        session, session.scalars(select(Digest.id).order_by(Digest.id)).first(), actor="tests", now=now, **values
    )


def audited(session) -> tuple[str, dict]:
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    return entry.verb, entry.fields


def test_only_what_is_given_changes(desk):
    session, digest = desk
    rule = {"articles": 5, "send": "automatic", "late": WhenLate.AT_ONCE.value, "approve_within": 24, "archive": True}
    edit(session, editing.change, name=" Morning ", rule=rule)
    assert (digest.name, digest.cron, digest.zone, digest.rule) == ("Morning", "0 7 * * *", "Europe/Berlin", rule)
    assert audited(session) == ("digest changed", {"name": "Morning", **rule})
    edit(session, editing.change, cron="0  8 * * *", zone="UTC")
    assert (digest.name, digest.cron, digest.zone, digest.rule) == ("Morning", "0 8 * * *", "UTC", rule)
    assert audited(session) == ("digest changed", {"cron": "0 8 * * *", "zone": "UTC"})


@pytest.mark.parametrize("change", [{"cron": "0 6 * * *"}, {"zone": "Asia/Tokyo"}])
def test_a_new_schedule_makes_up_for_no_run(desk, change):
    session, digest = desk
    edit(session, editing.change, **change)
    assert drafting.draft_run(session, digest.id, now=SEVEN) is None, "the old schedule had a run now"
    first = digests.upcoming(digest, now=SEVEN, count=1)[0].at
    assert SEVEN < first <= SEVEN + DAY
    assert drafting.draft_run(session, digest.id, now=first).run_at == first


def test_a_new_schedule_of_a_digest_that_has_not_begun_leaves_its_start(desk):
    session, _ = desk
    later = {"name": "Later", "cron": "0 7 * * *", "starts_at": SEVEN + 9 * DAY + timedelta(hours=1)}
    digest = digests.add(session, session.scalars(select(Newsletter)).one(), **later, actor="tests", now=NOON)
    editing.change(session, digest.id, cron="0 6 * * *", actor="tests", now=SEVEN)
    assert drafting.draft_run(session, digest.id, now=SEVEN + 9 * DAY + timedelta(hours=2)) is None
    assert digests.upcoming(digest, now=SEVEN, count=1)[0].at == SEVEN + 10 * DAY - timedelta(hours=1)


def test_keys_of_a_newer_release_stay(desk):
    session, digest = desk
    digest.rule = {**digest.rule, "topics": ["traffic"]}
    edit(session, editing.change, rule={"articles": 5})
    assert (digest.rule["topics"], digest.rule["articles"]) == (["traffic"], 5)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "Weekly"}),
        ("cron", {"cron": "0 7"}),
        ("zone", {"zone": "localtime"}),
        ("articles", {"rule": {"articles": 0}}),
        ("approve_within", {"rule": {"approve_within": 0}}),
    ],
)
def test_a_bad_change_is_refused_with_the_field(desk, field, change):
    session, _ = desk
    newsletter = session.scalars(select(Newsletter)).one()
    digests.add(session, newsletter, name="Weekly", cron="0 7 * * 1", actor="tests", now=NOON)
    with pytest.raises(Malformed) as caught:
        edit(session, editing.change, **change)
    assert caught.value.field == field


def test_a_change_that_changes_nothing_is_refused(desk):
    session, _ = desk
    for change in ({}, {"name": "Daily"}, {"rule": {"articles": 12}}):
        with pytest.raises(Refused, match="like that already"):
            edit(session, editing.change, **change)


def test_a_paused_digest_rests_and_its_resumption_makes_up_for_nothing(desk):
    session, digest = desk
    newsletter = digest.newsletter_id
    assert edit(session, editing.pause, now=NOON).active is False
    assert drafting.draft_run(session, digest.id, now=SEVEN) is None
    assert digests.schedule(session, newsletter) is None, "visitors do not read of it"
    assert edit(session, editing.resume, now=SEVEN + timedelta(hours=3)).active is True
    assert str(digests.schedule(session, newsletter)) == "Every day at 07:00 (Europe/Berlin)."
    assert drafting.draft_run(session, digest.id, now=SEVEN + timedelta(hours=3)) is None
    assert drafting.draft_run(session, digest.id, now=SEVEN + DAY).run_at == SEVEN + DAY
    assert audited(session)[0] == "issue drafted"


def test_a_digest_is_paused_and_resumed_once(desk):
    session, _ = desk
    with pytest.raises(Refused, match="is not paused"):
        edit(session, editing.resume)
    edit(session, editing.pause)
    assert audited(session) == ("digest paused", {})
    with pytest.raises(Refused, match="is paused already"):
        edit(session, editing.pause)
    edit(session, editing.resume)
    assert audited(session) == ("digest resumed", {})


def test_a_removed_digest_leaves_its_issues_and_its_name(desk):
    session, digest = desk
    issue = drafting.draft_run(session, digest.id, now=SEVEN)
    edit(session, editing.remove)
    assert audited(session) == ("digest removed", {"name": "Daily"})
    assert (issue.status, issue.digest_id) == (IssueStatus.DRAFTED, digest.id)
    newsletter = session.get_one(Newsletter, digest.newsletter_id)
    assert (digests.every(session), digests.schedule(session, newsletter.id)) == ([], None)
    assert drafting.draft_run(session, digest.id, now=SEVEN + DAY) is None
    again = digests.add(session, newsletter, name="Daily", cron="0 7 * * *", actor="tests", now=SEVEN)
    assert [each for each, _ in digests.every(session)] == [again]
    editing.remove(session, again.id, actor="tests", now=SEVEN)
    assert session.scalars(select(Issue)).one() == issue


@pytest.mark.parametrize("how", [editing.change, editing.pause, editing.resume, editing.remove, drafting.draft_now])
def test_a_removed_or_an_unknown_digest_is_not_found(desk, how):
    session, digest = desk
    edit(session, editing.remove)
    for number in (digest.id, 99, 2**62):
        with pytest.raises(NotFound, match=f"There is no digest {number}"):
            how(session, number, actor="tests", now=SEVEN)


def test_a_long_name_is_free_after_its_removal(desk):
    session, digest = desk
    edit(session, editing.change, name="x" * 80)
    edit(session, editing.remove)
    assert len(digest.name) == 80
    newsletter = session.get_one(Newsletter, digest.newsletter_id)
    assert digests.add(session, newsletter, name="x" * 80, cron="0 7 * * *", actor="tests", now=SEVEN)


def test_an_issue_now_makes_up_for_missed_runs_and_waits_for_approval(desk):
    session, digest = desk
    edit(session, editing.change, rule={"send": "automatic"})
    issue = drafting.draft_now(session, digest.id, actor="cli:ana", now=SEVEN + timedelta(hours=5))
    assert (issue.status, issue.digest_id, issue.run_at) == (
        IssueStatus.DRAFTED,
        digest.id,
        SEVEN + timedelta(hours=5),
    )
    assert drafting.draft_run(session, digest.id, now=SEVEN + timedelta(hours=6)) is None
    assert drafting.draft_run(session, digest.id, now=SEVEN + DAY).status is IssueStatus.SKIPPED
    with pytest.raises(Refused, match="nothing new"):
        drafting.draft_now(session, digest.id, actor="cli:ana", now=SEVEN + DAY)
