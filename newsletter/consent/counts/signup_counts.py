"""Count a newsletter's sign-ups of the last day, by the hour and by what became of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.signups.signups import Signup, SignupState

HOURS = 24
ONE_HOUR = timedelta(hours=1)
MAX_ROWS = 4_000  # sign-ups that are read, so that a flood of them keeps no page waiting
MAILED = (SignupState.ASKED, SignupState.CONFIRMED)


class SignupCounts(NamedTuple):
    """The sign-ups of a newsletter from `since` on."""

    since: datetime
    is_whole_day: bool  # False: so many arrived that only the newest were read
    by_hour: Sequence[int]  # of the last 24 hours, the oldest first
    received: int
    mailed: int  # a confirmation letter is owed or sent
    confirmed: int
    waiting: int  # in the slow lane
    doubted: int  # the form may have been filled in by a program
    proved: int  # with a proof of work, which a worker may have yet to check


def last_day(session: Session, newsletter_id: int, *, now: datetime) -> SignupCounts:
    """Return the counts of the last 24 hours. It reads the newest MAX_ROWS sign-ups of all newsletters at most."""
    columns = (Signup.received_at, Signup.newsletters, Signup.state, Signup.slow_lane_at, Signup.doubt)
    newest = select(*columns, Signup.solution.is_not(None)).order_by(Signup.id.desc()).limit(MAX_ROWS)
    day_began = now - HOURS * ONE_HOUR
    read = session.execute(newest).all()
    rows = [row for row in read if row.received_at > day_began]
    is_whole_day = len(rows) < MAX_ROWS
    mine = [row for row in rows if newsletter_id in row.newsletters]
    by_hour = [0] * HOURS
    for row in mine:
        hours_ago = min(max((now - row.received_at) // ONE_HOUR, 0), HOURS - 1)  # another server's clock may be ahead
        by_hour[-1 - hours_ago] += 1
    return SignupCounts(
        since=day_began if is_whole_day else min(row.received_at for row in rows),
        is_whole_day=is_whole_day,
        by_hour=by_hour,
        received=len(mine),
        mailed=sum(row.state in MAILED for row in mine),
        confirmed=sum(row.state == SignupState.CONFIRMED for row in mine),
        waiting=sum(row.slow_lane_at is not None for row in mine),
        doubted=sum(row.doubt is not None for row in mine),
        proved=sum(bool(row[-1]) for row in mine),
    )
