"""Who joined, who left and who reads, by day: read from the ledger, and counted again without harm."""

from datetime import date, datetime, timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.consent.counts import day_counts
from newsletter.consent.counts.day_counts import ALL, DayCounter, DayCounts, StandingChange
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import EFFECTS, Event
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.subscribers.suppressions import Reason
from tests.builders import a_newsletter, a_subscriber
from tests.clock import NOON

DAY = NOON.date()
ONE = timedelta(days=1)
JOIN, LEAVE = Event.CONFIRMED, Event.WITHDRAWN


def happened(session, newsletter, address, *events: tuple[Event, datetime]) -> None:
    """Append these events of a person about a newsletter."""
    reader = a_subscriber(session, address)
    for event, at in events:
        ledger.append(session, reader.subject, event, newsletter=newsletter, evidence={}, trace=None, now=at)
        after = EFFECTS[event].if_confirmed
        assert after
        subscribers.set_standing(session, reader.id, newsletter.id, after, now=at)


def stored(reading, newsletter_id: int = ALL) -> dict[date, tuple[int, int, int]]:
    """Return joined, left and readers by day."""
    with reading() as session:
        rows = session.scalars(select(DayCounts).where(DayCounts.newsletter_id == newsletter_id))
        return {row.day: (row.joined, row.left, row.readers) for row in rows}


def count(database, now: datetime = NOON) -> None:
    counter = DayCounter()
    while counter.count(database.reading, database.writing, now=now):
        pass


def test_each_day_says_who_joined_who_left_and_who_read_at_its_end(database):
    with database.writing() as session:
        morning = a_newsletter(session)
        evening = a_newsletter(session, "evening")
        for newsletter in (morning, evening):
            newsletter.created_at = NOON - 20 * ONE
        happened(session, morning, "a@example.org", (JOIN, NOON - 20 * ONE))
        happened(session, evening, "a@example.org", (JOIN, NOON - 2 * ONE))
        happened(session, morning, "a@example.org", (LEAVE, NOON - ONE))
        happened(session, morning, "b@example.org", (JOIN, NOON))
    count(database)
    days = dict.fromkeys((DAY - n * ONE for n in range(20)), (0, 0, 1))
    days |= {DAY - 20 * ONE: (1, 0, 1), DAY - ONE: (0, 1, 0), DAY: (1, 0, 1)}
    assert stored(database.reading, morning.id) == days
    people = stored(database.reading)
    assert (people[DAY - 20 * ONE], people[DAY - 2 * ONE], people[DAY - ONE]) == ((1, 0, 1), (0, 0, 1), (0, 0, 1))
    assert people[DAY] == (1, 0, 2)


def test_twelve_weeks_are_counted_and_no_day_before_the_first_entry(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        newsletter.created_at = NOON - 200 * ONE
        happened(session, newsletter, "a@example.org", (JOIN, NOON - 100 * ONE))
    count(database)
    assert sorted(stored(database.reading)) == [DAY - n * ONE for n in reversed(range(84))]
    assert set(stored(database.reading).values()) == {(0, 0, 1)}


def test_an_empty_service_has_a_row_for_today_alone(database):
    count(database)
    assert stored(database.reading) == {DAY: (0, 0, 0)}


def test_counting_again_changes_nothing_and_a_past_day_keeps_its_readers(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        happened(session, newsletter, "a@example.org", (JOIN, NOON))
        happened(session, newsletter, "b@example.org", (JOIN, NOON))
    count(database)
    first = stored(database.reading)
    count(database, NOON + timedelta(seconds=6))
    assert stored(database.reading) == first == {DAY: (2, 0, 2)}
    count(database, NOON + ONE)
    with database.writing() as session:
        a_subscriber(session, "b@example.org").suppressed = Reason.BOUNCED
    count(database, NOON + ONE + timedelta(minutes=1))
    assert stored(database.reading) == {DAY: (2, 0, 2), DAY + ONE: (0, 0, 1)}


def test_today_is_counted_again_after_five_seconds_and_not_before(database):
    counter = DayCounter()
    with database.writing() as session:
        newsletter = a_newsletter(session)
    counter.count(database.reading, database.writing, now=NOON)
    with database.writing() as session:
        happened(session, newsletter, "a@example.org", (JOIN, NOON))
    counter.count(database.reading, database.writing, now=NOON + timedelta(seconds=4))
    assert stored(database.reading)[DAY] == (0, 0, 0)
    counter.count(database.reading, database.writing, now=NOON + timedelta(seconds=30))
    assert stored(database.reading)[DAY] == (1, 0, 1)


def test_a_count_that_takes_a_second_is_repeated_after_fifty(database):
    ticks = iter(range(100))
    counter = DayCounter(monotonic=lambda: float(next(ticks)))
    with database.writing() as session:
        newsletter = a_newsletter(session)
    counter.count(database.reading, database.writing, now=NOON)
    with database.writing() as session:
        happened(session, newsletter, "a@example.org", (JOIN, NOON))
    counter.count(database.reading, database.writing, now=NOON + timedelta(seconds=49))
    assert stored(database.reading)[DAY] == (0, 0, 0)
    counter.count(database.reading, database.writing, now=NOON + timedelta(seconds=51))
    assert stored(database.reading)[DAY] == (1, 0, 1)


def test_who_exchanges_one_newsletter_for_another_at_once_neither_joins_nor_leaves():
    entries = [
        StandingChange(b"a", 1, JOIN, NOON),
        StandingChange(b"a", 1, LEAVE, NOON + ONE),
        StandingChange(b"a", 2, JOIN, NOON + ONE),
    ]
    moved = day_counts.movements(entries)
    assert dict(moved.joined) == {(DAY, 1): 1, (DAY, ALL): 1, (DAY + ONE, 2): 1}
    assert dict(moved.left) == {(DAY + ONE, 1): 1}


CHANGES = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(list(EFFECTS)), st.integers(0, 9)), max_size=9)


@given(st.lists(CHANGES, max_size=5))
def test_who_joined_without_who_left_are_the_readers(histories):
    entries = [
        StandingChange(bytes([person]), newsletter, event, NOON + hours * timedelta(hours=7))
        for person, changes in enumerate(histories)
        for (newsletter, event, _), hours in zip(changes, accumulate(change[2] for change in changes), strict=True)
    ]
    moved = day_counts.movements(entries)
    reading = {
        (person, newsletter)
        for person in range(len(histories))
        for newsletter in (1, 2, 3)
        if ledger.standing(e.event for e in entries if (e.subject, e.newsletter_id) == (bytes([person]), newsletter))
        is Standing.SUBSCRIBED
    }
    for number in (1, 2, 3):
        joined, left = (sum(n for (_, each), n in side.items() if each == number) for side in moved)
        assert joined - left == sum(newsletter == number for _, newsletter in reading)
    joined, left = (sum(n for (_, each), n in side.items() if each == ALL) for side in moved)
    assert joined - left == len({person for person, _ in reading})
