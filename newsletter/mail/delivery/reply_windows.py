"""Read the windows of replies that decide whether an issue pauses, from the rows of its deliveries.

A window has the last 200 replies to a letter at the same try: first replies are compared with first replies, replies to
a second try with replies to second tries. An issue is first sent in the order of its subscribers, but a retry comes
half an hour or more later; among the first replies of its neighbours it would be lost.

Replies from before a person resumed the issue are known by their place, not by their time, because clocks differ and
are set back: `seen` returns the places for the audit log, and `unseen` leaves out the replies at these places.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, text
from sqlalchemy.orm import Session

from newsletter.mail.delivery.deliveries import DELIVERIES, OPEN, DeliveryStatus
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace import attempt_window
from newsletter.mail.pace.attempt_window import WINDOW
from newsletter.mail.transport import replies
from newsletter.store.database import is_on_sqlite

SCANNED_ROWS = 1000  # of a letter that are read to find a window: letters claimed by other workers lie between
SCANNED_FOR_RETRIES = 10_000  # the same for retries: letters that were taken at the first try lie between
MAX_RUNS = 200  # of neighbours that one window of an audit entry names
TRIED = (DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN)  # final since their last try

Runs = list[list[int]]  # the first and last subscriber of each run of neighbours, in order


class Window(NamedTuple):
    """The replies to one letter at one try, up to a subscriber's."""

    letter: int
    tries: int
    until: int


class StoredReply(NamedTuple):
    """A reply as a delivery's row stores it, with its code (`attempt_window`)."""

    subscriber: int
    code: str
    text: str


def windows(session: Session, deliveries: Iterable[int]) -> list[tuple[int, Window]]:
    """Return the issues of these deliveries, each with a window that ends with the last of them."""
    row = DELIVERIES.c
    mine = (
        select(
            Letter.issue_id, row.letter_id, row.subscriber_id, row.status, row.deferrals, row.reply_code, row.reply_text
        )
        .join(Letter, Letter.id == row.letter_id)
        .where(row.id.in_(deliveries), Letter.issue_id.is_not(None), row.subscriber_id.is_not(None))
    )
    ends: dict[tuple[int, int, int], int] = {}
    for issue, letter, subscriber, status, deferrals, *reply in session.execute(mine):
        code, _ = _code_and_text(status, *reply)
        place = issue, letter, _tries(status, deferrals, code)
        ends[place] = max(subscriber, ends.get(place, 0))
    return [(issue, Window(letter, tries, until)) for (issue, letter, tries), until in ends.items()]


def last_replies(session: Session, window: Window, *, limit: int, and_later: bool = False) -> list[StoredReply]:
    """Return the last replies at this try, the newest first, up to the window's end; at most `limit`.

    With `and_later`, up to half a window of replies to later subscribers comes before them, in addition.
    """
    subscriber, rows = DELIVERIES.c.subscriber_id, _scanned_rows(window.tries)
    earlier = _rows(session, window, subscriber <= window.until, rows).limit(limit)
    found = list(_stored_replies(session, earlier, window.tries))
    if not and_later:
        return found
    later = _rows(session, window, subscriber > window.until, rows // 2, newest_first=False).limit(WINDOW // 2)
    return [*list(_stored_replies(session, later, window.tries))[::-1], *found]


def unseen(stored: Iterable[StoredReply], window: Window, seen: Mapping[str, Any]) -> list[StoredReply]:
    """Return those of the replies that are not in what `seen` returned."""
    runs: Runs = seen.get(str(window.letter), {}).get(str(window.tries), [])
    starts = [first for first, _ in runs]

    def is_seen(subscriber: int) -> bool:
        place = bisect_right(starts, subscriber) - 1
        return place >= 0 and subscriber <= runs[place][1]

    return [each for each in stored if not is_seen(each.subscriber)]


def seen(session: Session, letters: Sequence[int]) -> dict[str, dict[str, Runs]]:
    """Return the subscribers whose replies are there, as runs of neighbours, by letter and try; JSON.

    It is read once for each resume, in one pass over the rows of the letters and a scan for each try.
    """
    row = DELIVERIES.c
    newest = select(row.letter_id, _most_tries(row).label("tries"), row.subscriber_id)
    newest = newest.where(row.letter_id.in_(letters), _has_reply(row), row.subscriber_id.is_not(None))
    of_each = newest.subquery().c
    tops = select(of_each.letter_id, of_each.tries, func.max(of_each.subscriber_id))
    tops = tops.group_by(of_each.letter_id, of_each.tries)
    found: dict[str, dict[str, Runs]] = {}
    by_letter = sorted(tuple(each) for each in session.execute(tops))
    for letter, of_letter in groupby(by_letter, key=lambda each: each[0]):
        until = {tries: top for _, tries, top in of_letter}
        for tries in range(1, max(until) + 1):  # a letter with a second reply also had a first one
            top = max(each for more, each in until.items() if more >= tries)
            found.setdefault(str(letter), {})[str(tries)] = _runs(session, Window(letter, tries, top))
    return found


def _runs(session: Session, window: Window) -> Runs:
    """Return the runs of subscribers whose letters were tried at least so often; older ones belong to the first run."""
    limit = _scanned_rows(window.tries)
    scan = _scan(window, DELIVERIES.c.subscriber_id <= window.until, limit, newest_first=True).subquery().c
    _use_the_index(session)
    rows = session.execute(select(scan.subscriber_id, scan.status, scan.tries, scan.deferrals)).all()
    # A final letter that was tried less often gets no further reply, so it interrupts no run.
    marked = [
        (subscriber, is_tried)
        for subscriber, status, tries, deferrals in reversed(rows)
        if (is_tried := (deferrals if status in OPEN else tries) >= window.tries) or status in OPEN
    ]
    grouped = groupby(marked, key=lambda each: each[1])
    members = [[subscriber for subscriber, _ in group] for is_tried, group in grouped if is_tried]
    runs = [[run[0], run[-1]] for run in members]
    if len(rows) == limit or len(runs) > MAX_RUNS:
        runs = [[0, runs[-MAX_RUNS:][0][1]], *runs[-MAX_RUNS:][1:]]
    return runs


def _scanned_rows(tries: int) -> int:
    return SCANNED_ROWS if tries == 1 else SCANNED_FOR_RETRIES


def _tries(status: DeliveryStatus, deferrals: int, code: str) -> int:
    """Return how often a letter had been tried when its present reply came.

    `deferrals` counts the tries that were refused for now or because of us, also the last one (`next_state`).
    """
    is_counted = status not in TRIED or code in {attempt_window.REFUSED, attempt_window.LATER}
    return max(deferrals, 1) if is_counted else deferrals + 1


def _most_tries(row: Any) -> ColumnElement[int]:
    """Return the same in SQL, or one more: SQL does not see what a permanent refusal is about."""
    return case((row.deferrals == 0, 1), (row.status.in_(TRIED), row.deferrals + 1), else_=row.deferrals)


def _has_reply(row: Any) -> ColumnElement[bool]:
    return or_(row.status == DeliveryStatus.SENT, row.reply_code.is_not(None))


def _scan(window: Window, place: ColumnElement[bool], limit: int, *, newest_first: bool) -> Select[Any]:
    """Select a number of a letter's rows in the order of its subscribers, which an index has."""
    row = DELIVERIES.c
    order = [each.desc() if newest_first else each for each in (row.letter_id, row.subscriber_id)]
    columns = (
        row.subscriber_id,
        row.status,
        row.deferrals,
        _most_tries(row).label("tries"),
        row.reply_code,
        row.reply_text,
    )
    return select(*columns).where(row.letter_id == window.letter, place).order_by(*order).limit(limit)


def _rows(
    session: Session, window: Window, place: ColumnElement[bool], limit: int, *, newest_first: bool = True
) -> Select[Any]:
    """Select those rows of a scan that have a reply at this try or a later one."""
    _use_the_index(session)
    scan = _scan(window, place, limit, newest_first=newest_first).subquery().c
    words = case((scan.reply_code >= 500, scan.reply_text))
    rows = select(scan.subscriber_id, scan.status, scan.deferrals, scan.reply_code, words)
    rows = rows.where(and_(_has_reply(scan), scan.tries >= window.tries))
    return rows.order_by(scan.subscriber_id.desc() if newest_first else scan.subscriber_id)


def _use_the_index(session: Session) -> None:
    """Let PostgreSQL use the index, whatever its statistics say."""
    if not is_on_sqlite(session):
        session.execute(text("SET LOCAL enable_sort = off"))


def _stored_replies(session: Session, rows: Select[Any], tries: int) -> Iterator[StoredReply]:
    """Yield the replies at this try. A letter that was tried again since was deferred at this one."""
    for subscriber, status, deferrals, reply_code, words in session.execute(rows):
        code, line = _code_and_text(status, reply_code, words)
        tried = _tries(status, deferrals, code)
        if tried == tries:
            yield StoredReply(subscriber, code, line)
        elif tried > tries:
            yield StoredReply(subscriber, attempt_window.LATER, "")


def _code_and_text(status: DeliveryStatus, code: int | None, words: str | None) -> tuple[str, str]:
    if status is DeliveryStatus.SENT:
        return attempt_window.TAKEN, ""
    if code is None or code < 500:  # all temporary refusals count alike
        return attempt_window.LATER, ""
    reply = replies.from_row(code, words)
    return attempt_window.outcome_code(replies.refusal_outcome(reply), reply), reply.line
