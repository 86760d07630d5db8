"""A process remembers how far it has read in each issue's queue."""

from newsletter.mail.delivery.cursors import HEAD, Cursor, Cursors
from tests.clock import NOON
from tests.transports import FakeMonotonic


def test_a_queue_that_was_read_to_the_end_counts_as_empty_although_a_delivery_of_another_went_back():
    monotonic = FakeMonotonic()
    cursors = Cursors(monotonic)
    cursors.begin()
    assert cursors.order([1, 2]) == [1, 2]
    cursors.found_nothing(1, after=HEAD, since=monotonic())
    cursors.retry_all()
    assert cursors.empty() == [1]
    assert cursors.order([1, 2]) == [1, 2], "and it is still read again"
    cursors.advance(1, Cursor(NOON, 7), after=HEAD)
    assert cursors.empty() == []
