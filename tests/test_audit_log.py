"""Acts: what happens by itself is remembered too, with who did it and without anybody's address."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from newsletter import audit_log, newsletters
from newsletter.audit_log import AuditEntry
from newsletter.consent import wordings
from newsletter.content import issues
from newsletter.content.digests import digests
from newsletter.content.issues import Issue
from newsletter.queues.wakeups import Queue
from newsletter.web import create_app
from tests.clock import NOON
from tests.content.builders import a_feed, publish
from tests.whole_service import Silence, WholeService


def comes_out(stage: WholeService, *articles: str, automatic: bool) -> None:
    """A digest with these articles, and its next run."""
    made = stage.newsletter()
    with stage.site.database.writing() as session:
        newsletter = newsletters.named(session, made.slug)
        publish(session, a_feed(session, newsletter), *articles)
        cron = {"name": "daily", "cron": "0 12 * * *", "automatic": automatic}
        digests.add(session, newsletter, **cron, actor="tests", now=stage.clock())
    stage.clock.pass_(days=1)


def told(stage: WholeService) -> list[tuple[str, str]]:
    """Who did what to issues."""
    with stage.site.database.reading() as session:
        about_issues = (
            select(AuditEntry.actor, AuditEntry.verb)
            .where(AuditEntry.subject.startswith("issue:"))
            .order_by(AuditEntry.id)
        )
        return [tuple(row) for row in session.execute(about_issues)]


def test_each_step_of_an_issue_that_leaves_by_itself_is_remembered(stage):
    comes_out(stage, "bridge", automatic=True)
    stage.reader("ana@mail.example.org")
    stage.run(Queue.UPKEEP, Queue.BULK)
    assert told(stage) == [
        ("scheduler", "issue drafted"),
        ("scheduler", "issue approved"),
        ("worker", "issue begun"),
        ("worker", "issue sent"),
    ]
    assert "ana@" not in str(stage.rows()["acts"])


@pytest.mark.parametrize(("articles", "verb"), [((), "issue skipped"), (("bridge",), "issue drafted")])
def test_the_scheduler_answers_for_what_it_skips_and_what_it_drafts(stage, articles, verb):
    comes_out(stage, *articles, automatic=False)
    stage.run(Queue.UPKEEP, Queue.BULK)
    assert told(stage) == [("scheduler", verb)]


def test_of_two_who_try_the_same_only_the_one_who_did_it_is_remembered(stage):
    comes_out(stage, "bridge", automatic=False)
    stage.run(Queue.UPKEEP)
    for actor in ("cli:ana", "cli:eve"):
        with stage.site.database.writing() as session:
            issue = session.scalars(select(Issue)).one()
            if actor == "cli:ana":
                issues.cancel(session, issue, actor=actor, now=NOON)
            else:
                with pytest.raises(issues.Refused):
                    issues.cancel(session, issue, actor=actor, now=NOON)
    assert told(stage) == [("scheduler", "issue drafted"), ("cli:ana", "issue cancelled")]


def test_words_that_a_release_shows_otherwise_are_published_in_the_name_of_the_site(stage):
    made = stage.newsletter()
    with stage.site.database.writing() as session:
        was = {"language": "en", "text": "I agree.", "form": b"as it was", "confirm": b"as it was"}
        wordings.publish(session, made, **was, actor="tests", now=NOON)
    for _ in range(2):
        with TestClient(create_app(stage.site.settings, Silence())):
            pass
    with stage.site.database.reading() as session:
        found = audit_log.newest(session, limit=2)
    assert [(act.actor, act.verb, act.fields["version"]) for act in found] == [
        ("tests", "wording published", 2),
        ("site", "wording published", 3),
    ]
