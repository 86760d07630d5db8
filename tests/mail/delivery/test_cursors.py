"""What a process remembers of its lines."""

from newsletter.mail.delivery.cursors import HEAD, Cursor, Cursors
from tests.clock import NOON
from tests.transports import FakeMonotonic


def test_a_line_that_was_looked_through_may_be_done_though_something_of_another_went_back():
    ticks = FakeMonotonic()
    cursors = Cursors(ticks)
    cursors.begin()
    assert cursors.turns([1, 2]) == [1, 2]
    cursors.found_nothing(1, behind=HEAD, since=ticks())
    cursors.look_again()
    assert cursors.empty() == [1]
    assert cursors.turns([1, 2]) == [1, 2], "and all the same it is asked again"
    cursors.found(1, Cursor(NOON, 7), behind=HEAD)
    assert cursors.empty() == []
