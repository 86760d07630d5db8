"""Doctor finds each contradiction in the database, and none in a sound one."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import delete, func, insert, select, text, update

from newsletter.consent.decisions import decisions
from newsletter.consent.ledger.ledger import Evidence, LedgerEntry
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.doctor.checks.findings import MAX_FINDINGS, Check, Finding
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, Tally
from newsletter.mail.letters.letters import Letter, Variant
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from newsletter.store import triggers
from newsletter.store.database import Database
from tests.builders import a_crowd, a_delivery, a_letter, a_newsletter, a_reader, a_signup, an_issue
from tests.clock import NOON


@pytest.fixture
def populated(begin, database) -> Database:
    """A service that has sent a confirmation and an issue to three readers, one of whom has left."""
    with begin() as session:
        newsletter = a_newsletter(session)
        readers = [a_reader(session, newsletter) for _ in range(3)]
        issue = an_issue(session, newsletter, status=IssueStatus.SENT)
        signup = a_signup(session, newsletter, state=SignupState.ASKED)
        asked = a_reader(session, newsletter, signup.address, standing=Standing.ASKED)
        written = [
            (a_letter(session, newsletter, issue=issue, audience=3), readers),
            (a_letter(session, newsletter, signup=signup), [asked]),
        ]
        for letter, audience in written:
            for reader in audience:
                a_delivery(session, letter, reader, status=DeliveryStatus.SENT, decided_at=NOON)
        decisions.withdraw(session, readers[0], newsletters=[newsletter.id], how="link", trace=None, now=NOON)
    return database


def examine(populated: Database) -> list[Finding]:
    with populated.reading() as session:
        return examination.examine(session)


def damage(populated: Database, *statements) -> None:
    """Change rows without the triggers that protect them."""
    with populated.writing() as session:
        connection = session.connection()
        on = "" if populated.is_sqlite else " ON ledger"
        for name in triggers.names(connection.dialect.name):
            if name.startswith("ledger_"):
                connection.execute(text(f"DROP TRIGGER {name}{on}"))
        for statement in statements:
            assert session.execute(statement).rowcount
        triggers.recreate(connection)


def found(populated: Database) -> Finding:
    (finding,) = examine(populated)
    assert "@" not in f"{finding}"
    return finding


def test_a_sound_service_gives_no_finding(populated):
    assert examine(populated) == []


def test_an_empty_service_gives_no_finding(database):
    assert examine(database) == []


def test_a_service_that_did_everything_gives_no_finding(service):
    newsletter = service.newsletter()
    for reader in ("ana@example.org", "bob@example.org"):
        service.reader(reader)
    service.sign_up("undecided@example.org")
    with service.site.database.writing() as session:
        an_issue(session, newsletter, status=IssueStatus.APPROVED, run_at=service.clock())
    service.run(Queue.URGENT, Queue.BULK)
    service.browser.post(
        service.link(service.letters(to="ana@example.org")[-1], "u"), data={"List-Unsubscribe": "One-Click"}
    )
    service.clock.advance(hours=73)
    service.run(Queue.UPKEEP)
    with service.site.database.reading() as session:
        assert set(session.scalars(select(Delivery.status))) == {DeliveryStatus.SENT}
        assert session.scalars(select(Issue.status)).one() is IssueStatus.SENT
    assert examine(service.site.database) == []


def issue_letter(column=Letter.id):
    return select(column).where(Letter.issue_id.is_not(None)).scalar_subquery()


def one(of) -> Callable:
    return select(of).order_by(of).limit(1).scalar_subquery()


def first_of_the_issue():
    return (
        select(Delivery.id).where(Delivery.letter_id == issue_letter()).order_by(Delivery.id).limit(1).scalar_subquery()
    )


def test_a_missing_delivery_is_found(populated):
    damage(populated, delete(Delivery).where(Delivery.id == first_of_the_issue()))
    finding = found(populated)
    assert finding.about.startswith("letter issue:")
    assert finding.says == "its audience is 3, but its deliveries add up to 2"


def test_a_changed_audience_is_found(populated):
    damage(populated, update(Letter).where(Letter.issue_id.is_not(None)).values(audience=4))
    assert found(populated).says == "its audience is 4, but its deliveries add up to 3"


def test_a_delivery_that_was_folded_into_a_tally_is_not_missing(populated):
    tally = insert(Tally).from_select(
        ["letter_id", "carrier_id", "status", "n"],
        select(Delivery.letter_id, 0, Delivery.status, 1).where(Delivery.id == first_of_the_issue()),
    )
    damage(
        populated,
        tally.execution_options(preserve_rowcount=True),
        delete(Delivery).where(Delivery.id == first_of_the_issue()),
    )
    assert examine(populated) == []


def test_an_issue_marked_sent_with_an_open_delivery_is_found(populated):
    open_values = {"status": DeliveryStatus.QUEUED, "decided_at": None}
    damage(populated, update(Delivery).where(Delivery.id == first_of_the_issue()).values(open_values))
    assert found(populated)[:3] == (
        Check.ISSUES,
        "issue 1",
        "it is marked sent, but some of its deliveries are not final",
    )


def test_an_issue_marked_sent_without_a_letter_is_found(populated):
    with populated.writing() as session:
        session.execute(update(Letter).where(Letter.issue_id.is_not(None)).values(issue_id=None))
    assert found(populated)[:3] == (Check.ISSUES, "issue 1", "it is marked sent, but it has no letter")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"decided_at": None}, "it is final, but the time of its outcome is missing"),
        ({"status": DeliveryStatus.QUEUED}, "it is not final, but has the time of an outcome"),
        (
            {"status": DeliveryStatus.CLAIMED, "decided_at": None, "carrier_id": None},
            "it is claimed by no known worker",
        ),
    ],
)
def test_a_delivery_in_an_impossible_state_is_found(populated, values, says):
    confirmation = select(Delivery.id).where(Delivery.letter_id != issue_letter()).limit(1).scalar_subquery()
    damage(populated, update(Delivery).where(Delivery.id == confirmation).values(values))
    finding = found(populated)
    assert finding.about.startswith("delivery ")
    assert finding.says == says


@pytest.mark.parametrize("values", [{"body": b"Other words"}, {"cuts": [[1, "to", "shoe"]]}, {"sha256": "0" * 64}])
def test_a_changed_variant_is_found(populated, values):
    damage(populated, update(Variant).where(Variant.letter_id == issue_letter()).values(values))
    assert found(populated).says == "it was changed after it was stored: its hash does not match"


def test_a_delivery_with_the_text_of_another_letter_is_found(populated):
    other = (
        select(Variant.id).where(Variant.letter_id != issue_letter()).order_by(Variant.id).limit(1).scalar_subquery()
    )
    damage(populated, update(Delivery).where(Delivery.id == first_of_the_issue()).values(variant_id=other))
    assert found(populated).says == "its text belongs to another letter"


def test_a_dropped_trigger_is_found(populated):
    with populated.writing() as session:
        on = "" if populated.is_sqlite else " ON ledger"
        session.execute(text(f"DROP TRIGGER ledger_refuses_update{on}"))
    assert found(populated)[:3] == (Check.TRIGGERS, "database", "the trigger ledger_refuses_update is missing")


def subscription(standing: Standing):
    mine = Subscription.standing == standing
    return (
        select(Subscription.subscriber_id).where(mine).order_by(Subscription.subscriber_id).limit(1).scalar_subquery()
    )


def test_a_subscription_that_differs_from_the_ledger_is_found(populated):
    left = subscription(Standing.LEFT)
    damage(populated, update(Subscription).where(Subscription.subscriber_id == left).values(standing="subscribed"))
    assert found(populated).says == "the stored standing is subscribed, but the ledger says left"


def test_a_missing_subscription_is_found(populated):
    damage(populated, delete(Subscription).where(Subscription.subscriber_id == subscription(Standing.SUBSCRIBED)))
    finding = found(populated)
    assert finding.about.startswith("subscriber ")
    assert finding.says == "the stored standing is missing, but the ledger says subscribed"


@pytest.mark.parametrize(
    "values",
    [
        {"event": "withdrawn"},
        {"ordinal": 7},
        {"subject": b"x" * 16},
        {"wording_id": None},
        {"evidence_digest": b"0" * 32},
    ],
)
def test_a_changed_ledger_entry_is_found(populated, values):
    damage(populated, update(LedgerEntry).where(LedgerEntry.id == one(LedgerEntry.id)).values(values))
    assert "it was changed after it was written: its hash does not match" in {each.says for each in examine(populated)}


def test_a_ledger_entry_with_a_changed_time_is_found(populated):
    with populated.reading() as session:
        entry = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id).limit(1)).one()
    damage(
        populated, update(LedgerEntry).where(LedgerEntry.id == entry.id).values(at=entry.at - timedelta(microseconds=1))
    )
    assert found(populated).about == f"ledger entry {entry.id}"


def test_a_missing_ledger_entry_is_found(populated):
    with populated.reading() as session:
        entries = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)).all()
    asked = next(each for each in entries if [other.subject for other in entries].count(each.subject) == 2)
    damage(
        populated,
        delete(Evidence).where(Evidence.entry_id == asked.id),
        delete(LedgerEntry).where(LedgerEntry.id == asked.id),
    )
    assert "entries about its subject that are left: 1 of 2" in {each.says for each in examine(populated)}


def test_changed_evidence_is_found(populated):
    damage(populated, update(Evidence).where(Evidence.entry_id == one(Evidence.entry_id)).values(body=b"{}"))
    assert found(populated).says == "its evidence was changed: the hash in the entry does not match"


def test_erased_evidence_is_no_finding(populated):
    damage(populated, delete(Evidence).where(Evidence.entry_id == one(Evidence.entry_id)))
    assert examine(populated) == []


def without_foreign_keys(populated: Database, *statements: str) -> None:
    """Change rows without the check of foreign keys, as an SQLite shell does."""
    if populated.is_sqlite:
        shell = sqlite3.connect(str(populated.engine.url.database), isolation_level=None)
    else:
        shell = psycopg.connect(populated.url.replace("+psycopg", ""), autocommit=True)
        shell.execute("SET session_replication_role = replica")
    with closing(shell):
        for statement in statements:
            assert shell.execute(statement).rowcount


def test_rows_that_refer_to_a_missing_row_are_found(populated):
    without_foreign_keys(populated, "DELETE FROM variants WHERE letter_id = (SELECT min(id) FROM letters)")
    findings = examine(populated)
    assert [(each.check, each.about) for each in findings] == [
        (Check.VARIANTS, findings[0].about),
        (Check.ORPHANS, "deliveries.variant_id"),
    ]
    assert findings[0].says == "it has no stored text"
    assert findings[1].says == "rows that refer to a missing row of variants: 3; the first missing row is 1"


def test_a_claim_of_an_unknown_worker_is_found(populated):
    without_foreign_keys(
        populated,
        "UPDATE issues SET status = 'sending'",
        "UPDATE deliveries SET status = 'claimed', decided_at = NULL, carrier_id = 99 WHERE id = 1",
    )
    (finding,) = [each for each in examine(populated) if each.check is Check.DEAD_CLAIMS]
    assert finding[1:4] == ("delivery 1", "it is claimed by no known worker", True)


def test_a_sign_up_marked_asked_without_a_letter_is_found(populated):
    with populated.writing() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        signup = a_signup(session, newsletter, state=SignupState.ASKED)
    finding = found(populated)
    assert finding[:2] == (Check.SIGNUPS, f"sign-up {signup.id}")
    assert finding.remedy


def test_a_sign_up_marked_confirmed_without_a_ledger_entry_is_found(populated):
    damage(populated, update(Signup).values(state=SignupState.CONFIRMED))
    assert found(populated).says == "it is marked confirmed, but the ledger has no confirmation"


def test_at_most_a_hundred_findings_of_a_check_are_listed_and_the_rest_counted(populated):
    with populated.writing() as session:
        a_crowd(session, session.scalars(select(Newsletter)).one(), 103)
    findings = examine(populated)
    assert len(findings) == MAX_FINDINGS + 1
    assert findings[-1][:3] == (Check.STANDING, "elsewhere", "3 more like these")
    assert findings[-1].fixable


def test_letters_in_doubt_are_remarks_and_no_findings(populated):
    doubtful = {"status": DeliveryStatus.IN_DOUBT, "doubts": 1, "decided_at": None, "first_tried_at": NOON, "deaths": 3}
    with populated.writing() as session:
        session.execute(update(Issue).values(status=IssueStatus.SENDING))
        session.execute(update(Delivery).where(Delivery.id == first_of_the_issue()).values(doubtful))
        last = select(func.max(Delivery.id)).scalar_subquery()
        session.execute(update(Delivery).where(Delivery.id == last).values(status=DeliveryStatus.UNKNOWN))
    assert examine(populated) == []
    with populated.reading() as session:
        remarks = {each.name: each.says for each in examination.collect_remarks(session, now=NOON)}
    assert remarks.keys() == {"in-doubt", "unknown", "suspects"}
    assert remarks["in-doubt"].startswith("1 may have arrived and will be sent again")
    assert remarks["in-doubt"].endswith("the oldest was first tried at 2026-03-14 12:00 UTC")


def test_failed_sign_ups_are_a_remark(populated):
    with populated.writing() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        a_signup(session, newsletter, state=SignupState.FAILED)
    with populated.reading() as session:
        (remark,) = examination.collect_remarks(session, now=NOON)
    assert remark.name == "unanswered"
    assert remark.says == (
        "1 could not be processed, the first received at 2026-03-14 12:00 UTC; the worker's log says why"
    )


@pytest.mark.parametrize(
    ("ips", "is_public", "is_told"),
    [
        (["10.0.0.1"] * 10, True, True),
        (["127.0.0.1"] * 20 + ["198.51.100.1"] * 20, True, True),
        (["10.0.0.1"] * 9, True, False),
        (["10.0.0.1"] * 10 + ["198.51.100.1"] * 11, True, False),
        (["198.51.100.1"] * 40, True, False),
        (["127.0.0.1"] * 40, False, False),
    ],
)
def test_sign_ups_from_private_addresses_are_remarked_on_where_others_can_reach_the_site(
    begin, ips, is_public, is_told
):
    with begin() as session:
        newsletter = a_newsletter(session)
        for ip in ips:
            a_signup(session, newsletter, evidence={"ip": ip})
    with begin() as session:
        told = examination.collect_remarks(session, now=NOON, is_public=is_public)
    assert ["NEWSLETTER_TRUSTED_PROXIES" in remark.says for remark in told] == [True] * is_told
