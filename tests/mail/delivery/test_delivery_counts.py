"""The deliveries of an issue are counted by the workers while it is sent, and a last time when it is over."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, text, update

from newsletter.content.issues import transitions
from newsletter.content.issues.issues import IssueStatus
from newsletter.mail.delivery import delivery_counts
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, Tally
from newsletter.mail.delivery.delivery_counts import DeliveryCounter
from tests.builders import a_letter, a_newsletter, an_issue, readers, unsaved
from tests.clock import NOON
from tests.query_plans import rows_read
from tests.statements import executed

QUEUED, SENT, FAILED = DeliveryStatus.QUEUED, DeliveryStatus.SENT, DeliveryStatus.FAILED
LATER = NOON + timedelta(minutes=2)


@pytest.fixture
def issue(begin):
    """An issue that is being sent to three readers."""
    with begin() as session:
        newsletter = a_newsletter(session)
        issue = an_issue(session, newsletter)
        written = a_letter(session, newsletter, issue=issue, audience=3)
        session.add_all(unsaved(written, reader) for reader in readers(session, newsletter, 3))
    return issue


def count(database, now=NOON, counter=None) -> bool:
    return (counter or DeliveryCounter()).count(database.reading, database.writing, now=now)


def counted(database, issue) -> dict[str, int]:
    """Return what was last counted of an issue, without zeros."""
    with database.reading() as session:
        progress = delivery_counts.of_issues(session, [issue.id]).get(issue.id)
        return {status: n for status, n in progress.counts.items() if n} if progress else {}


def decide(database, number: int, status: DeliveryStatus) -> None:
    """End the first deliveries that wait."""
    with database.writing() as session:
        first = [row.id for row in session.query(Delivery).filter_by(status=QUEUED).limit(number)]
        session.execute(update(Delivery).where(Delivery.id.in_(first)).values(status=status, decided_at=NOON))


def test_an_issue_that_is_being_sent_is_counted_again_and_again(database, issue):
    counter = DeliveryCounter()
    count(database, counter=counter)
    assert counted(database, issue) == {"queued": 3}
    decide(database, 2, SENT)
    count(database, NOON + timedelta(seconds=4), counter)
    assert counted(database, issue) == {"queued": 3}
    count(database, LATER, counter)
    assert counted(database, issue) == {"queued": 1, "sent": 2}


@pytest.mark.parametrize("end", [transitions.mark_sent, transitions.cancel])
def test_it_is_counted_once_more_when_nothing_is_open_and_then_no_more(database, issue, end):
    counter = DeliveryCounter()
    decide(database, 2, SENT)
    count(database, counter=counter)
    decide(database, 1, FAILED)
    with database.writing() as session:
        end(session, session.merge(issue), actor="tests", now=NOON)
    count(database, LATER, counter)
    assert counted(database, issue) == {"sent": 2, "failed": 1}
    with executed(database) as statements:
        count(database, LATER + timedelta(days=1), counter)
    assert not any("delivery_counts" in statement and "INSERT" in statement for statement in statements)


def test_an_issue_that_ended_before_anybody_counted_is_found(database, issue):
    decide(database, 3, SENT)
    with database.writing() as session:
        transitions.mark_sent(session, session.merge(issue), actor="tests", now=NOON)
    count(database, NOON + timedelta(days=400))
    assert counted(database, issue) == {"sent": 3}


def test_the_sum_stays_the_audience_when_rows_become_tallies(database, issue):
    decide(database, 3, SENT)
    with database.writing() as session:
        letter_id = session.query(Delivery).first().letter_id
        first = session.query(Delivery.id).limit(2).scalar_subquery()
        session.execute(delete(Delivery).where(Delivery.id.in_(first)))
        session.add(Tally(letter_id=letter_id, carrier_id=0, status=SENT, n=2))
    count(database)
    assert counted(database, issue) == {"sent": 3}


def test_an_older_count_does_not_replace_a_newer_one(database, issue):
    slow = DeliveryCounter()
    times = iter(range(100))

    def meanwhile() -> float:
        if next(times) == 2:  # the slow one has looked which letters are due
            decide(database, 1, SENT)
            count(database, LATER)
        return 0.0

    slow = DeliveryCounter(monotonic=meanwhile)
    count(database, counter=slow)
    assert counted(database, issue) == {"queued": 2, "sent": 1}
    with database.reading() as session:
        assert delivery_counts.of_issues(session, [issue.id])[issue.id].counted_at == LATER


def test_a_drafted_issue_has_no_count(database):
    with database.writing() as session:
        issue = an_issue(session, a_newsletter(session), status=IssueStatus.DRAFTED)
    assert count(database) is False
    assert counted(database, issue) == {}


def test_progress_says_how_many_are_final(database, issue):
    decide(database, 2, SENT)
    count(database)
    with database.reading() as session:
        progress = delivery_counts.of_issues(session, [issue.id])[issue.id]
    assert (progress.number(), progress.decided, progress.number(SENT)) == (3, 2, 2)


def test_looking_for_letters_to_count_reads_no_confirmations(postgresql_database):
    copies = text(
        "INSERT INTO letters (kind, occasion, newsletter_id, priority, audience, written_at) "
        "SELECT 'confirmation', 'signup:' || n, newsletter_id, 0, 1, written_at "
        "FROM letters, generate_series(1, 9000) AS n"
    )
    with postgresql_database.writing() as session:
        newsletter = a_newsletter(session)
        a_letter(session, newsletter, issue=an_issue(session, newsletter))
        session.execute(copies)
        session.execute(text("ANALYZE"))
    counter = DeliveryCounter()
    count(postgresql_database, counter=counter)
    with postgresql_database.reading() as session:
        counter._unfinished(session, everywhere=False, now=LATER)
        assert rows_read(session, "letters", "issues", "delivery_counts") < 50
