"""Remarks: what an operator would like to know though it is not wrong by itself."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.consent.signups import Signup, SignupState
from newsletter.doctor.checks.findings import Remark
from newsletter.mail.delivery.deliveries import (
    SUSPECT_DEATHS,
    WAITING,
    Delivery,
    DeliveryStatus,
    has_status,
    may_have_arrived,
)


def in_doubt(session: Session) -> Iterator[Remark]:
    """Letters that may have arrived: each is sent again with the same bytes, or ends unknown."""
    doubtful = may_have_arrived(Delivery.doubts, Delivery.deaths)
    waiting = select(func.count(), func.min(Delivery.first_tried_at)).where(has_status(*WAITING), doubtful)
    count, since = session.execute(waiting).one()
    if count:
        says = f"{count:,} letters may have arrived and are sent again; the oldest was first tried at {_when(since)}"
        yield Remark("in-doubt", "deliveries", says)
    ended = select(func.count(), func.max(Delivery.decided_at)).where(has_status(DeliveryStatus.UNKNOWN))
    count, last = session.execute(ended).one()
    if count:
        says = f"of {count:,} letters nobody can say whether they arrived; the last was given up at {_when(last)}"
        yield Remark("unknown", "deliveries", says)


def suspects(session: Session) -> Iterator[Remark]:
    """Letters that several carriers did not survive."""
    waiting = select(func.count()).where(has_status(*WAITING), Delivery.deaths >= SUSPECT_DEATHS)
    if count := session.scalar(waiting):
        says = f"{count:,} letters were in hand when {SUSPECT_DEATHS} processes ended; each is carried alone, once more"
        yield Remark("suspects", "deliveries", says)


def unanswered(session: Session) -> Iterator[Remark]:
    """Sign-ups that were set aside because they could not be answered."""
    failed = select(func.count(), func.min(Signup.received_at)).where(Signup.state == SignupState.FAILED)
    count, since = session.execute(failed).one()
    if count:
        says = f"{count:,} sign-ups could not be answered, the first of {_when(since)}; the worker's log says why"
        yield Remark("unanswered", "signups", says)


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "a time that is not known"
