"""What leaves next: approved issues at their times, and the coming runs of digests."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest, Rule
from newsletter.newsletters import Newsletter
from newsletter.operators.grants import Grants
from newsletter.web.desk import near_times
from newsletter.web.desk.today.open_issues import OpenIssue

RUNS_OF_A_DIGEST = 2
MAX_DEPARTURES = 8


class Departure(NamedTuple):
    """Something that leaves, or is drafted, at a time."""

    at: datetime
    when: str  # in the operator's zone
    hint: str  # how far away it is, and the time in the newsletter's zone
    name: str
    path: str
    newsletter_id: int
    state: str
    is_approved: bool


class Departures(NamedTuple):
    """The next departures, and how many digests there are that plan some."""

    next: list[Departure]
    digests: int


def read(
    session: Session,
    grants: Grants,
    newsletters: dict[int, Newsletter],
    approved: list[OpenIssue],
    *,
    zone: str,
    now: datetime,
) -> Departures:
    """Return the next departures of the operator's newsletters, in order."""
    active = select(Digest).where(Digest.active, grants.among(Digest.newsletter_id)).order_by(Digest.id)
    found = list(session.scalars(active))
    planned = [_of_issue(each, zone=zone, now=now) for each in approved]
    for digest in found:
        planned += _of_digest(digest, newsletters[digest.newsletter_id], zone=zone, now=now)
    return Departures(sorted(planned, key=lambda departure: departure.at)[:MAX_DEPARTURES], len(found))


def _of_issue(each: OpenIssue, *, zone: str, now: datetime) -> Departure:
    when = _when(each.leaves_at, each.newsletter.zone, zone=zone, now=now)
    path = f"/desk/issues/{each.issue.id}"
    return Departure(each.leaves_at, *when, each.name, path, each.newsletter.id, "Approved", is_approved=True)


def _of_digest(digest: Digest, newsletter: Newsletter, *, zone: str, now: datetime) -> list[Departure]:
    state = "Leaves without approval" if Rule.read(digest.rule).is_automatic else "Drafted then, for approval"
    name = newsletter.name if digest.name == newsletter.name else f"{newsletter.name}: {digest.name}"
    path = f"/desk/digests/{digest.id}"
    return [
        Departure(
            run.at,
            *_when(run.at, digest.zone, zone=zone, now=now),
            name,
            path,
            newsletter.id,
            state,
            is_approved=False,
        )
        for run in digests.upcoming(digest, now=max(now, digest.starts_at), count=RUNS_OF_A_DIGEST)
    ]


def _when(at: datetime, zone_there: str, *, zone: str, now: datetime) -> tuple[str, str]:
    said = near_times.in_a_table(at, zone=zone, now=now)
    hints = [near_times.ahead(at, now=now), near_times.other_clock(at, zone=zone_there, own=zone)]
    return said, ", ".join(hint for hint in hints if hint)
