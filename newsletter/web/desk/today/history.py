"""Readers and letters of the last twelve weeks, from the rows that workers keep: nothing is counted here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from newsletter.consent.counts.day_counts import ALL, DAYS_BACK, DayCounts
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.delivery_counts import DeliveryProgress
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.newsletters import Newsletter
from newsletter.operators.grants import Grants
from newsletter.web.desk import plots
from newsletter.web.desk.plots import BarPlot, LinePlot

WEEKS = DAYS_BACK // 7
ONE_DAY, ONE_WEEK = timedelta(days=1), timedelta(weeks=1)
FOUR_WEEKS = 28
LEFT_LATELY = timedelta(days=7)
MAX_LEFT = 6  # issues that are named


class DayOfReaders(NamedTuple):
    """What was counted of one day."""

    joined: int
    left: int
    readers: int


class Week(NamedTuple):
    """A row of the table: seven days up to this one."""

    to: date
    joined: int
    left: int
    readers: int
    letters: int


class LeftIssue(NamedTuple):
    """An issue that was sent this week."""

    name: str
    path: str
    at: datetime
    sent: int | None  # None: not counted yet
    failed: int | None


@dataclass(frozen=True)
class History:
    """The last twelve weeks."""

    weeks: list[Week]  # the newest first
    readers: int
    gained: int | None  # in four weeks; None: there are no counts from then
    has_people: bool  # people, each once; else readers of each newsletter, added up
    readers_plot: LinePlot
    moves_plot: BarPlot
    letters_plot: BarPlot
    counted_at: datetime

    @property
    def marks(self) -> list[tuple[str, str]]:
        """Labels under every third bar: the middle of the bar, and the day on which its week ends."""
        oldest_first = list(enumerate(reversed(self.weeks)))
        return [
            (f"{100 * (place + 0.5) / WEEKS:.4g}%", f"{week.to.day} {week.to:%b}") for place, week in oldest_first[1::3]
        ]

    @property
    def joined(self) -> int:
        """In all twelve weeks."""
        return sum(week.joined for week in self.weeks)

    @property
    def left(self) -> int:
        """In all twelve weeks."""
        return sum(week.left for week in self.weeks)

    @property
    def letters(self) -> int:
        """In all twelve weeks."""
        return sum(week.letters for week in self.weeks)


class DayRows(NamedTuple):
    """The rows of the last twelve weeks that concern an operator."""

    days: dict[date, DayOfReaders]
    by_newsletter: dict[int, int]  # today's readers
    counted_at: datetime | None


def read_days(session: Session, grants: Grants, *, now: datetime) -> DayRows:
    """Read the counts: people for those who may see the whole service, else the sums of their newsletters."""
    since, newest = now.date() - (DAYS_BACK - 1) * ONE_DAY, now.date() - ONE_DAY
    own = grants.newsletters()
    of_all = DayCounts.newsletter_id == ALL
    shown = of_all if own is None else grants.among(DayCounts.newsletter_id)
    lately = and_(DayCounts.day >= newest, grants.among(DayCounts.newsletter_id))
    columns = (DayCounts.day, DayCounts.newsletter_id, DayCounts.joined, DayCounts.left, DayCounts.readers)
    rows = select(*columns, DayCounts.counted_at).where(DayCounts.day >= since, or_(shown, lately))
    days: dict[date, DayOfReaders] = {}
    by_newsletter: dict[int, int] = {}
    counted_at = None
    for row in session.execute(rows.order_by(DayCounts.day)):
        if row.newsletter_id != ALL and row.day >= newest:
            by_newsletter[row.newsletter_id] = row.readers
        if (row.newsletter_id == ALL) == (own is None):
            before = days.get(row.day, DayOfReaders(0, 0, 0))
            days[row.day] = DayOfReaders(before[0] + row.joined, before[1] + row.left, before[2] + row.readers)
            counted_at = row.counted_at
    return DayRows(days, by_newsletter, counted_at)


def read_sent(
    session: Session, grants: Grants, newsletters: dict[int, Newsletter], *, now: datetime
) -> tuple[list[LeftIssue], Counter[int]]:
    """Return the issues that left this week, the newest first, and the letters sent by week: 0 is the last one."""
    columns = (Issue.id, Issue.newsletter_id, Issue.number, Issue.sent_at)
    sent, failed = (DeliveryProgress.counts[each.value].as_integer() for each in _SHOWN)
    rows = (
        select(*columns, sent.label("sent"), failed.label("failed"))
        .outerjoin(Letter, and_(Letter.issue_id == Issue.id, Letter.kind == LetterKind.ISSUE))
        .outerjoin(DeliveryProgress, DeliveryProgress.letter_id == Letter.id)
        .where(Issue.sent_at > now - DAYS_BACK * ONE_DAY, Issue.status == IssueStatus.SENT)
        .where(grants.among(Issue.newsletter_id))
        .order_by(Issue.sent_at.desc())
    )
    lately: list[LeftIssue] = []
    letters: Counter[int] = Counter()
    for row in session.execute(rows):
        letters[(now.date() - row.sent_at.date()).days // 7] += row.sent or 0
        if now - row.sent_at < LEFT_LATELY and len(lately) < MAX_LEFT:
            name = f"{newsletters[row.newsletter_id].name} {row.number or ''}".strip()
            lately.append(LeftIssue(name, f"/desk/issues/{row.id}", row.sent_at, row.sent, row.failed))
    return lately, letters


def history(rows: DayRows, letters: Counter[int], grants: Grants) -> History | None:
    """Return the twelve weeks with their plots; None before the first count."""
    if not rows.days or rows.counted_at is None:
        return None
    today, first = max(rows.days), min(rows.days)
    every = _without_gaps(rows.days, first, today)
    weeks = [_week(every, today - number * ONE_WEEK, letters[number]) for number in range(WEEKS)]
    readers, then = every[today].readers, every.get(today - FOUR_WEEKS * ONE_DAY)
    oldest_first = weeks[::-1]
    return History(
        weeks=weeks,
        readers=readers,
        gained=readers - then.readers if then else None,
        has_people=grants.newsletters() is None,
        readers_plot=plots.line(
            [_readers_before(every[first]), *(every[day].readers for day in sorted(every))], steps=DAYS_BACK
        ),
        moves_plot=plots.bars(_of(oldest_first, "joined"), _of(oldest_first, "left")),
        letters_plot=plots.bars(_of(oldest_first, "letters")),
        counted_at=rows.counted_at,
    )


_SHOWN = (DeliveryStatus.SENT, DeliveryStatus.FAILED)


def _of(weeks: Sequence[Week], name: str) -> list[int]:
    return [getattr(week, name) for week in weeks]


def _readers_before(day: DayOfReaders) -> int:
    """Return the readers at the end of the day before, which follow from who joined and left."""
    return max(day.readers - day.joined + day.left, 0)


def _without_gaps(days: dict[date, DayOfReaders], first: date, last: date) -> dict[date, DayOfReaders]:
    """Return every day; one that was not counted has the readers of the day before."""
    every: dict[date, DayOfReaders] = {}
    before = days[first]
    day = first
    while day <= last:
        before = every[day] = days.get(day, DayOfReaders(0, 0, before.readers))
        day += ONE_DAY
    return every


def _week(days: dict[date, DayOfReaders], to: date, letters: int) -> Week:
    own = [days.get(to - number * ONE_DAY, DayOfReaders(0, 0, 0)) for number in range(7)]
    return Week(to, sum(day.joined for day in own), sum(day.left for day in own), own[0].readers, letters)
