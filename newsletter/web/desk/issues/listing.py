"""The list of issues, the newest first, by state, month and newsletter."""

from calendar import month_name
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.languages.languages import language
from newsletter.mail.delivery import delivery_counts
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.frame.signed_in import SignedIn
from newsletter.web.desk.issues import standing
from newsletter.web.site import ReadingSession

PER_PAGE = 50
MAX_MONTHS = 120  # to choose from
NEWS = (  # of the headline, for one issue and for several
    (IssueStatus.DRAFTED, "waits for approval", "wait for approval"),
    (IssueStatus.PAUSED, "is paused", "are paused"),
    (IssueStatus.SENDING, "is leaving", "are leaving"),
    (IssueStatus.APPROVED, "is approved", "are approved"),
)
MICROSECOND = 1_000_000
MAX_YEAR = 9999

router = DeskRouter()


class Month(NamedTuple):
    """A month of a year."""

    year: int
    month: int

    @property
    def value(self) -> str:
        """The month as a form sends it."""
        return f"{self.year:04}-{self.month:02}"

    @property
    def words(self) -> str:
        """The month as people write it."""
        return f"{month_name[self.month]} {self.year}"

    def start(self, zone: str) -> datetime:
        """Return the instant at which the month begins in a zone."""
        return datetime(self.year, self.month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)

    def next(self, step: int = 1) -> "Month":
        """Return the month after it, or before it with a negative step."""
        years, month = divmod(self.year * 12 + self.month - 1 + step, 12)
        return Month(years, month + 1)


class Wanted(NamedTuple):
    """What the list is limited to."""

    status: IssueStatus | None = None
    month: Month | None = None
    newsletter: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The limits as a form sends them."""
        month = self.month.value if self.month else ""
        given = {"state": self.status or "", "month": month, "newsletter": self.newsletter}
        return {name: value for name, value in given.items() if value}


@router.page("/issues", Role.VIEWER, AccessScope.SOMEWHERE)
def issue_list(request: Request, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """List issues."""
    operator, query = desk.operator, request.query_params
    newsletters = _newsletters(session, operator)
    slugs = {each.slug: each for each in newsletters}
    slug = query.get("newsletter", "")
    wanted = Wanted(_status(query.get("state", "")), _month(query.get("month", "")), slug if slug in slugs else "")
    mine = operator.grants.among(Issue.newsletter_id)
    rows = _limited(select(Issue).where(mine), wanted, slugs, operator.zone)
    if after := _cursor(query.get("before", "")):
        rows = rows.where(tuple_(Issue.run_at, Issue.id) < after)
    found = session.scalars(rows.order_by(Issue.run_at.desc(), Issue.id.desc()).limit(PER_PAGE + 1)).all()
    shown = found[:PER_PAGE]
    return desk.page(
        "issues/list",
        issues=shown,
        names={each.id: each.name for each in newsletters},
        headline=_headline(_live(session, operator)),
        progress=delivery_counts.of_issues(session, [issue.id for issue in shown]),
        newsletters=newsletters,
        months=_months(session, operator),
        wanted=wanted,
        older=_place(shown[-1]) if len(found) > PER_PAGE else None,
        is_first=after is None,
        tags=standing.TAGS,
        may_draft=operator.grants.may_somewhere(Role.EDITOR),
    )


def _newsletters(session: Session, operator: SignedIn) -> list[Newsletter]:
    granted = select(Newsletter).where(operator.grants.among(Newsletter.id))
    return list(session.scalars(granted.order_by(Newsletter.name, Newsletter.id)))


def _limited(rows: Select[Issue], wanted: Wanted, slugs: dict[str, Newsletter], zone: str) -> Select[Issue]:
    if wanted.status:
        rows = rows.where(Issue.status == wanted.status)
    if wanted.newsletter:
        rows = rows.where(Issue.newsletter_id == slugs[wanted.newsletter].id)
    if wanted.month:
        rows = rows.where(Issue.run_at >= wanted.month.start(zone), Issue.run_at < wanted.month.next().start(zone))
    return rows


def _live(session: Session, operator: SignedIn) -> Counter[IssueStatus]:
    """Return how many issues are in each status that is no end; few ever are."""
    mine = select(Issue.status, func.count().label("number")).where(operator.grants.among(Issue.newsletter_id))
    rows = session.execute(mine.where(Issue.status.in_([status for status, *_ in NEWS])).group_by(Issue.status))
    return Counter({row.status: row.number for row in rows})


def _headline(live: Mapping[IssueStatus, int]) -> str:
    """Return what waits and what is leaving, as a sentence."""
    told: list[str] = []
    for status, one, several in NEWS:
        if number := live[status]:
            subject = "issue " if not told and number == 1 else "issues " if not told else ""
            told.append(f"{number:,} {subject}{one if number == 1 else several}")
    return language("en").listed(told) or "No issue waits, and none is leaving"


def _months(session: Session, operator: SignedIn) -> list[Month]:
    """Return the months from the newest issue back to the oldest one."""
    mine = select(Issue.run_at).where(operator.grants.among(Issue.newsletter_id)).limit(1)
    newest = session.scalar(mine.order_by(Issue.run_at.desc(), Issue.id.desc()))
    oldest = session.scalar(mine.order_by(Issue.run_at, Issue.id))
    if newest is None or oldest is None:
        return []
    first, month = _month_of(oldest, operator.zone), _month_of(newest, operator.zone)
    months: list[Month] = []
    while month >= first and len(months) < MAX_MONTHS:
        months.append(month)
        month = month.next(-1)
    return months


def _month_of(moment: datetime, zone: str) -> Month:
    local = moment.astimezone(ZoneInfo(zone))
    return Month(local.year, local.month)


def _status(text: str) -> IssueStatus | None:
    return IssueStatus(text) if text in set(IssueStatus) else None


def _month(text: str) -> Month | None:
    try:
        parsed = datetime.strptime(text, "%Y-%m")  # noqa: DTZ007 - a month has no zone
    except ValueError:
        return None
    return Month(parsed.year, parsed.month) if 1 < parsed.year < MAX_YEAR else None


def _place(issue: Issue) -> str:
    """Return the place of an issue in the list, from which older ones follow."""
    return f"{round(issue.run_at.timestamp() * MICROSECOND)}-{issue.id}"


def _cursor(text: str) -> tuple[Any, Any] | None:
    time, _, number = text.partition("-")
    microseconds, issue_id = whole_numbers.parse(time), whole_numbers.parse(number)
    if microseconds is None or issue_id is None:
        return None
    try:
        return datetime.fromtimestamp(microseconds / MICROSECOND, UTC), issue_id
    except (ValueError, OverflowError, OSError):
        return None
