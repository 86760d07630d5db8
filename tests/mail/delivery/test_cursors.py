"""What a process remembers of its lines."""

from newsletter.mail.delivery.cursors import HEAD, Bookmarks, Place
from tests.clock import NOON
from tests.transports import Ticks


def test_a_line_that_was_looked_through_may_be_done_though_something_of_another_went_back():
    ticks = Ticks()
    bookmarks = Bookmarks(ticks)
    bookmarks.begin()
    assert bookmarks.turns([1, 2]) == [1, 2]
    bookmarks.found_nothing(1, behind=HEAD, since=ticks())
    bookmarks.look_again()
    assert bookmarks.empty() == [1]
    assert bookmarks.turns([1, 2]) == [1, 2], "and all the same it is asked again"
    bookmarks.found(1, Place(NOON, 7), behind=HEAD)
    assert bookmarks.empty() == []
