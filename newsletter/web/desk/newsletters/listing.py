"""The list of newsletters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.consent.counts.day_counts import ALL, DayCounts
from newsletter.consent.wordings.wordings import Wording
from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor.domains import domain_checks
from newsletter.languages.languages import english_name
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/newsletters", Role.VIEWER, AccessScope.SOMEWHERE)
def newsletter_list(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """List the operator's newsletters."""
    grants, now = desk.operator.grants, desk.site.now()
    chosen = select(Newsletter).where(grants.among(Newsletter.id)).order_by(Newsletter.name, Newsletter.id)
    every = list(session.scalars(chosen))
    ids = [each.id for each in every]
    readers = reader_counts(session, [*ids, ALL])
    with_words = languages_with_words(session, ids)
    next_issues = next_issue_times(session, ids, now=now)
    checks = domain_checks.last(session, ids)
    rows: list[dict[str, Any]] = [
        {
            "newsletter": each,
            "readers": readers.get(each.id),
            "next_issue": next_issues.get(each.id),
            "languages": [english_name(tag) for tag in each.languages],
            "without_words": [english_name(tag) for tag in each.languages if tag not in with_words.get(each.id, ())],
            "domain": checks.get(each.id),
        }
        for each in every
    ]
    people = readers.get(ALL) if grants.newsletters() is None else None
    return desk.page("newsletters/list", rows=rows, people=people, may_add=grants.may(Role.ADMIN))


def reader_counts(session: Session, ids: Sequence[int]) -> dict[int, int]:
    """Return the readers of newsletters on the last day that was counted."""
    last_day = select(func.max(DayCounts.day)).scalar_subquery()
    counts = select(DayCounts.newsletter_id, DayCounts.readers).where(
        DayCounts.day == last_day, DayCounts.newsletter_id.in_(ids)
    )
    return {row.newsletter_id: row.readers for row in session.execute(counts)}


def languages_with_words(session: Session, ids: Sequence[int]) -> dict[int, set[str]]:
    """Return the languages in which the newsletters' own words of consent are published."""
    # Words that a release before stored in the wrong language are few, and older than any desk.
    published = select(Wording.newsletter_id, Wording.language).where(
        Wording.newsletter_id.in_(ids), Wording.newsletters.is_(None)
    )
    found: dict[int, set[str]] = {}
    for number, tag in session.execute(published.distinct()):
        found.setdefault(number, set()).add(tag)
    return found


def next_issue_times(session: Session, ids: Sequence[int], *, now: datetime) -> dict[int, datetime]:
    """Return when the next issue of each newsletter is due: an approved one, or the next run of a digest."""
    approved = select(Issue.newsletter_id, func.min(func.coalesce(Issue.due_at, Issue.run_at))).where(
        Issue.status == IssueStatus.APPROVED, Issue.newsletter_id.in_(ids)
    )
    times = [(number, at) for number, at in session.execute(approved.group_by(Issue.newsletter_id)) if at]
    for digest in session.scalars(select(Digest).where(Digest.active, Digest.newsletter_id.in_(ids))):
        times += [(digest.newsletter_id, run.at) for run in digests.upcoming(digest, now=now, count=1)]
    return dict(sorted(times, key=lambda each: each[1], reverse=True))
