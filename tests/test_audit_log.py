"""The audit log: automatic changes are recorded too, with their actor and without addresses."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from newsletter import newsletters
from newsletter.audit_log import AuditEntry
from newsletter.consent.wordings import wordings
from newsletter.consent.wordings.wordings import Shown
from newsletter.content.digests import digests
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue
from newsletter.errors import Refused
from newsletter.operators import audit_search
from newsletter.operators.audit_search import AuditFilter
from newsletter.queues.wakeups import Queue
from newsletter.web import create_app
from tests.clock import NOON
from tests.content.builders import a_feed, publish
from tests.whole_service import NoWakeups, WholeService


def add_digest(service: WholeService, *articles: str, automatic: bool) -> None:
    """Add a digest with these articles, and advance the clock to its next run."""
    made = service.newsletter()
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, made.slug)
        publish(session, a_feed(session, newsletter), *articles)
        cron = {"name": "daily", "cron": "0 12 * * *", "automatic": automatic}
        digests.add(session, newsletter, **cron, actor="tests", now=service.clock())
    service.clock.advance(days=1)


def entries(service: WholeService) -> list[tuple[str, str]]:
    """Return actor and verb of the entries about issues."""
    with service.site.database.reading() as session:
        about_issues = (
            select(AuditEntry.actor, AuditEntry.verb)
            .where(AuditEntry.subject.startswith("issue:"))
            .order_by(AuditEntry.id)
        )
        return [tuple(row) for row in session.execute(about_issues)]


def test_each_step_of_an_automatic_issue_is_recorded(service):
    add_digest(service, "bridge", automatic=True)
    service.reader("ana@mail.example.org")
    service.run(Queue.UPKEEP, Queue.BULK)
    assert entries(service) == [
        ("scheduler", "issue drafted"),
        ("scheduler", "issue approved"),
        ("worker", "issue begun"),
        ("worker", "issue sent"),
    ]
    assert "ana@" not in str(service.rows()["acts"])


@pytest.mark.parametrize(("articles", "verb"), [((), "issue skipped"), (("bridge",), "issue drafted")])
def test_the_scheduler_is_the_actor_of_skipped_and_drafted_issues(service, articles, verb):
    add_digest(service, *articles, automatic=False)
    service.run(Queue.UPKEEP, Queue.BULK)
    assert entries(service) == [("scheduler", verb)]


def test_a_refused_change_is_not_recorded(service):
    add_digest(service, "bridge", automatic=False)
    service.run(Queue.UPKEEP)
    for actor in ("cli:ana", "cli:eve"):
        with service.site.database.writing() as session:
            issue = session.scalars(select(Issue)).one()
            if actor == "cli:ana":
                transitions.cancel(session, issue, actor=actor, now=NOON)
            else:
                with pytest.raises(Refused):
                    transitions.cancel(session, issue, actor=actor, now=NOON)
    assert entries(service) == [("scheduler", "issue drafted"), ("cli:ana", "issue cancelled")]


def test_the_site_is_the_actor_when_it_publishes_a_changed_form(service):
    made = service.newsletter()
    with service.site.database.writing() as session:
        shown = Shown("en", "I agree.", {"language": "en", "entries": []})
        was = {"form": b"as it was", "confirm": b"as it was"}
        wordings.publish(session, made, shown, **was, actor="tests", now=NOON)
    for _ in range(2):
        with TestClient(create_app(service.site.settings, NoWakeups())):
            pass
    with service.site.database.reading() as session:
        newest = audit_search.newest(session, AuditFilter(), limit=2)[::-1]
    assert [(entry.actor, entry.verb, entry.fields["version"]) for entry in newest] == [
        ("tests", "wording published", 2),
        ("site", "wording published", 3),
    ]
