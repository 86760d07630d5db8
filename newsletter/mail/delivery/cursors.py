"""Bookmarks: how far a process has come in each issue's line of letters, so that it need not begin at its head again.

A line is an index. What was sent is gone from it only when the database has cleaned up, and while somebody holds a long
snapshot (a backup does) it cannot: each claim would step over all that was sent before. A bookmark is a hint and no
more. It is dropped when nothing is found behind it, when a claim fails, and from time to time, so that nothing that
went back to its old place waits longer than that; who has none finds the same letters.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

LOOK_BACK = 60.0  # seconds until a line is begun at its head again
REST = 20  # a line that was walked for nothing is left alone for so many times as long as that took


class Cursor(NamedTuple):
    """Where a delivery stands in its line."""

    due_at: datetime
    delivery: int


HEAD = Cursor(datetime.min.replace(tzinfo=UTC), 0)


class Cursors:
    """One process's places in its lines, and whose turn it is. Lines are named by their letter's id."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self.ticks = ticks
        self._places: dict[int, tuple[Cursor, float]] = {}  # and until when to believe them
        self._empty: dict[int, float] = {}  # lines in which nothing is due, and until when they are left alone
        self._through: set[int] = set()  # lines that were looked through whole in this ring, and nothing was due
        self._last = 0

    def begin(self) -> None:
        """Ask every line anew, but those that take long to walk."""
        now = self.ticks()
        self._empty = {line: until for line, until in self._empty.items() if now < until}
        self._through = set(self._empty)

    def look_again(self) -> None:
        """Something went back to its place: ask every line anew."""
        self._empty.clear()

    def empty(self) -> list[int]:
        """The lines in which nothing was due when they were last looked through whole, this ring or before.

        What went back since makes none of them less likely to be done: whoever wants to know asks the database.
        """
        return list(self._through)

    def drop(self) -> None:
        """Begin every line at its head."""
        self._places.clear()

    def turns(self, lines: Iterable[int]) -> list[int]:
        """The lines to look at. The one after the last that was served is first: a long issue holds up no short one."""
        present = set(lines)
        self._places = {line: place for line, place in self._places.items() if line in present}
        self._empty = {line: until for line, until in self._empty.items() if line in present}
        self._through &= present
        return sorted(present - self._empty.keys(), key=lambda line: (line <= self._last, line))

    def place(self, line: int) -> Cursor:
        """Behind which the line is to be read."""
        place, until = self._places.get(line, (HEAD, 0.0))
        return place if self.ticks() < until else HEAD

    def found(self, line: int, last: Cursor, *, behind: Cursor) -> None:
        """Read on behind the last of what was found the next time."""
        until = self.ticks() + LOOK_BACK if behind is HEAD else self._places[line][1]
        self._places[line], self._last = (last, until), line
        self._through.discard(line)

    def found_nothing(self, line: int, *, behind: Cursor, since: float) -> bool:
        """Note that nothing is due behind a place; whether that is all of the line. The look began at `since`."""
        self._places.pop(line, None)
        if behind is not HEAD:
            return False
        now = self.ticks()
        self._empty[line] = now + REST * (now - since)
        self._through.add(line)
        return True
