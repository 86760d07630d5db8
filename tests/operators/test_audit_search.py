"""The audit log is searched by grants and filters, in a bounded part of it for each page."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.audit_log import AuditEntry
from newsletter.operators import audit_search
from newsletter.operators.audit_search import COMMAND_LINE, MAX_SCANNED, AuditFilter
from newsletter.operators.grants import Grants
from newsletter.operators.roles import Role
from tests.clock import NOON
from tests.query_plans import rows_read

ALL = Grants(Role.VIEWER)
MORNING, EVENING, NIGHT = 1, 2, 3


def entry(session: Session, verb: str = "issue approved", newsletter: int | None = MORNING, **values: Any) -> None:
    facts = {"actor": "operator:1", "subject": "issue:1", "now": NOON, **values}
    audit_log.record(session, verb=verb, newsletter_id=newsletter, **facts)


def verbs(session: Session, grants: Grants = ALL, **wanted: Any) -> list[str]:
    return [each.verb for each in audit_search.page(session, grants, AuditFilter(**wanted)).entries]


def pages(session: Session, grants: Grants, limit: int, **wanted: Any) -> Iterator[list[int]]:
    """Yield the ids on each page, up to the last one."""
    before: int | None = None
    while True:
        page = audit_search.page(session, grants, AuditFilter(**wanted), before=before, limit=limit)
        yield [each.id for each in page.entries]
        if (before := page.older) is None:
            return


def test_an_operator_sees_the_entries_of_their_newsletters_and_only_who_has_all_those_of_the_service(begin):
    with begin() as session:
        for verb, newsletter in (("a", MORNING), ("b", EVENING), ("c", NIGHT), ("d", None), ("e", MORNING)):
            entry(session, verb, newsletter)
        assert verbs(session) == ["e", "d", "c", "b", "a"]
        some = Grants(None, {MORNING: Role.VIEWER, EVENING: Role.ADMIN})
        assert verbs(session, some) == ["e", "b", "a"]
        assert verbs(session, some, newsletter_id=EVENING) == ["b"]
        assert verbs(session, some, newsletter_id=NIGHT) == []
        assert verbs(session, Grants()) == []
        assert verbs(session, some, actor="operator:1") == ["e", "b", "a"]


def test_entries_are_filtered_by_person_and_subject(begin):
    with begin() as session:
        entry(session, "issue approved", actor="operator:1")
        entry(session, "feed's title changed", actor="cli:ana")
        entry(session, "operator added", None, actor="cli:eve")
        entry(session, "feeds refreshed", None, actor="operator:12")
        assert verbs(session, actor="operator:1") == ["issue approved"]
        assert verbs(session, actor=COMMAND_LINE) == ["operator added", "feed's title changed"]
        assert verbs(session, subject="feeds") == ["feeds refreshed", "feed's title changed"]
        assert verbs(session, subject="feeds", newsletter_id=MORNING) == ["feed's title changed"]
        assert verbs(session, actor="operator:1", newsletter_id=EVENING) == []


def test_a_period_holds_from_its_first_moment_to_before_its_last_also_where_times_lie_in_disorder(begin):
    with begin() as session:
        for verb, minutes in (("early", -1), ("late", 61), ("first", 0), ("inside", 59), ("last", 60)):
            entry(session, verb, now=NOON + timedelta(minutes=minutes))
        period = {"since": NOON, "until": NOON + timedelta(hours=1)}
        assert verbs(session, **period) == ["inside", "first"]
        assert verbs(session, since=NOON + timedelta(days=1)) == []
        assert verbs(session, until=NOON - timedelta(days=1)) == []


def test_pages_hold_every_entry_once(begin):
    with begin() as session:
        for n in range(23):
            entry(session, "feed paused" if n % 5 else "issue sent", (MORNING, EVENING, None)[n % 3])
        for grants, wanted in (
            (ALL, {}),
            (ALL, {"subject": "issues"}),
            (ALL, {"actor": "operator:1"}),
            (Grants(None, {MORNING: Role.VIEWER, EVENING: Role.VIEWER}), {}),
            (Grants(None, {MORNING: Role.VIEWER, EVENING: Role.VIEWER}), {"subject": "feeds"}),
        ):
            (whole,) = pages(session, grants, 50, **wanted)
            found = list(pages(session, grants, 4, **wanted))
            assert [number for page in found for number in page] == whole
            assert [len(page) for page in found[:-1]] == [4] * (len(found) - 1)
            assert whole == sorted(whole, reverse=True)


def test_a_rare_entry_is_found_page_after_page(begin):
    with begin() as session:
        entry(session, "doctor mended", None)
        many(session, 2 * MAX_SCANNED + 10)
        found = list(pages(session, ALL, 50, subject="doctor"))
        assert found == [[], [], [1]]
        assert [each.id for each in audit_search.newest(session, AuditFilter(subject="doctor"), limit=1)] == [1]
        recent = list(pages(session, ALL, 50, subject="doctor", since=NOON + timedelta(hours=2)))
        assert recent == [[]]


SEARCHES: dict[str, tuple[Grants, AuditFilter]] = {
    "all": (ALL, AuditFilter()),
    "subject": (ALL, AuditFilter(subject="doctor")),
    "actor": (ALL, AuditFilter(actor="operator:9")),
    "actor of a newsletter": (ALL, AuditFilter(actor="operator:9", newsletter_id=MORNING)),
    "newsletter": (ALL, AuditFilter(newsletter_id=NIGHT)),
    "some newsletters": (Grants(None, {EVENING: Role.VIEWER, NIGHT: Role.VIEWER}), AuditFilter()),
    "none": (Grants(), AuditFilter()),
    "period": (ALL, AuditFilter(since=NOON - timedelta(days=2), until=NOON - timedelta(days=1))),
    "long ago": (ALL, AuditFilter(until=NOON + timedelta(minutes=5))),
}


def test_no_page_reads_the_whole_log(postgresql_database):
    with postgresql_database.writing() as session:
        entry(session)
        columns = "actor, verb, subject, fields, newsletter_id"
        copies = f"SELECT {columns}, at + n * interval '1 second' FROM acts, generate_series(1, 30000) AS n"  # noqa: S608
        session.execute(text(f"INSERT INTO acts ({columns}, at) {copies}"))
        entry(session, "issue sent", NIGHT)
    with postgresql_database.autocommit() as connection:
        connection.execute(text("ANALYZE acts"))
    read = {}
    for name, search in SEARCHES.items():
        with postgresql_database.writing() as session:
            before = rows_read(session, "acts")
            audit_search.page(session, *search)
            read[name] = rows_read(session, "acts") - before
    assert {name: rows for name, rows in read.items() if rows > 3 * MAX_SCANNED} == {}


def many(session: Session, number: int) -> None:
    """Add entries of one newsletter, one a second."""
    like = {"actor": "operator:1", "verb": "issue approved", "subject": "issue:1", "fields": {}}
    rows = [{**like, "newsletter_id": MORNING, "at": NOON + timedelta(seconds=n)} for n in range(number)]
    session.execute(insert(AuditEntry), rows)
