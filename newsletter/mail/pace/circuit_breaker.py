"""The breaker: an issue that too many refuse is paused, and a person looks at it before it goes on.

It counts what the last 200 attempts of an issue came to, of all carriers together. More than 10 % refused because there
is no such mailbox: the list is old or not ours, and every further letter costs the sender's good name. More than 20 %
refused for good because of sender or content: the others would be refused, too. What a relay puts off for now is no
reason: it passes, and the relay's pace sees to it (`tempo`).
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from newsletter.mail.pace import attempt_window as mark
from newsletter.mail.pace import throttle
from newsletter.mail.pace.attempt_window import WINDOW, Window
from newsletter.mail.pace.shared_state import Board, Notes
from newsletter.mail.transport.transport import Fate, Report

GONE, REFUSED = 0.10, 0.20  # shares of the last attempts
SOON = 0.1  # seconds between two looks at the board while letters are refused, unless ten are before that
DEAF = 10.0  # seconds after a pause in which nothing counts: what is under way when an issue is paused is no news
DIFFERENT = 50  # replies that are counted apart
MANY = 100  # issues that are remembered, the newest

ADVICE = {
    mark.GONE: "refused for good because the mailbox does not exist or takes no mail. "
    "Where do these addresses come from? Going on harms the sender's name with every mail provider.",
    mark.REFUSED: "refused for good for what is held against the sender or the letter, not the readers. "
    "Mend what the reply says: SPF, DKIM and DMARC of the domain, a blocklist, the content, or the relay's settings.",
}


@dataclass
class _Watched:
    """An issue, as this process hears of it."""

    marks: deque[str] = field(default_factory=lambda: deque(maxlen=WINDOW))  # not on the board yet, the newest
    replies: Counter[tuple[str, str]] = field(default_factory=Counter)  # what was said, by mark
    looked_at: float = -inf
    refused: int = 0  # since the last look

    def note(self, left: str, report: Report) -> None:
        self.refused += 1
        said = report.reply
        if said and len(self.replies) < DIFFERENT:
            self.replies[left, said.words] += 1

    def said_most(self, left: str) -> str:
        return max((n, words) for (mark, words), n in [((left, ""), 0), *self.replies.items()] if mark == left)[1]


class Breaker:
    """What carriers say of issues' letters, from one thread. `tripped` are those that have to be paused, and why."""

    def __init__(self, board: Board, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self.tripped: dict[int, str] = {}
        self._board = board
        self._ticks = ticks
        self._issues: dict[int, _Watched] = {}

    def heard(self, issue: int | None, report: Report) -> None:
        """Count an attempt. Letters of no issue, such as confirmations, are none of its business."""
        if issue is None:
            return
        watched = self._issues.get(issue)
        if watched is None:
            watched = self._issues[issue] = _Watched()
            if len(self._issues) > MANY:
                del self._issues[next(iter(self._issues))]
        if report.fate is Fate.TAKEN:
            watched.marks.append(mark.TAKEN)
            return
        left = mark.mark(report)
        watched.marks.extend(left)
        if left in ADVICE:
            watched.note(left, report)
            if watched.refused >= throttle.ALL or self._ticks() >= watched.looked_at + SOON:
                self._look(issue, watched)

    def has_tripped(self) -> bool:
        """Whether there is an issue to be paused."""
        return bool(self.tripped)

    def settle(self) -> None:
        """Count what was refused since the last look, with what was taken meanwhile."""
        for issue, watched in self._issues.items():
            if watched.refused:
                self._look(issue, watched)

    def _look(self, issue: int, watched: _Watched) -> None:
        """Tell the board, and ask whether it is enough. Of several processes that ask, one is told so."""
        look = _Look("".join(watched.marks))
        self._board.change(f"issue:{issue}", look)
        watched.marks.clear()
        watched.refused, watched.looked_at = 0, self._ticks()
        if look.found:
            self.tripped[issue] = reason(look.found, look.last, watched.said_most(look.found))
            watched.replies.clear()


class _Look:
    """A step on the board: it adds what was heard and clears the window when that is too much."""

    def __init__(self, heard: str) -> None:
        self._heard = heard
        self.last = self.found = ""

    def __call__(self, notes: Notes, now: float) -> Notes:
        self.last = self.found = ""
        if 0 < notes.rest_until - now <= DEAF:
            return notes
        self.last = (notes.marks + self._heard)[-WINDOW:]
        self.found = too_much(self.last)
        return Notes(rest_until=now + DEAF) if self.found else notes._replace(marks=self.last)


def too_much(marks: str) -> str:
    """The mark of which there are too many among the last attempts; empty where all is well."""
    window = Window.of(marks)
    if throttle.is_too_much(window.gone, window.seen, share=GONE):
        return mark.GONE
    return mark.REFUSED if throttle.is_too_much(window.refused, window.seen, share=REFUSED) else ""


def reason(found: str, marks: str, said: str) -> str:
    """Why an issue is paused, for who has to mend it."""
    window = Window.of(marks)
    count = window.gone if found == mark.GONE else window.refused
    most = f" Most often: {said}" if said else ""
    return f"Of the last {window.seen} letters {count} were {ADVICE[found]}{most}"
