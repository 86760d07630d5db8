"""Collect remarks: what an operator should know although it is not wrong."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.audit_log import AuditEntry
from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.limits import networks
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.content.issues.transitions import EXPIRED
from newsletter.doctor.checks.findings import Remark
from newsletter.mail.delivery.deliveries import (
    SUSPECT_DEATHS,
    WAITING,
    Delivery,
    DeliveryStatus,
    has_status,
    may_have_arrived,
)
from newsletter.mail.pace import notices
from newsletter.operators.operators import Operator

LATEST_SIGNUPS = 200  # that are examined for a proxy
MIN_PRIVATE_SIGNUPS = 10  # of them; fewer may be the operator's own


def in_doubt(session: Session) -> Iterator[Remark]:
    """Count letters that may have arrived: each is sent again with the same bytes, or ends unknown."""
    doubtful = may_have_arrived(Delivery.doubts, Delivery.deaths)
    waiting = select(func.count(), func.min(Delivery.first_tried_at)).where(has_status(*WAITING), doubtful)
    count, since = session.execute(waiting).one()
    if count:
        says = f"{count:,} may have arrived and will be sent again; the oldest was first tried at {_when(since)}"
        yield Remark("in-doubt", "deliveries", says)
    ended = select(func.count(), func.max(Delivery.decided_at)).where(has_status(DeliveryStatus.UNKNOWN))
    count, last = session.execute(ended).one()
    if count:
        says = f"letters that may have arrived and are not sent again: {count:,}; the last ended at {_when(last)}"
        yield Remark("unknown", "deliveries", says)


def suspects(session: Session) -> Iterator[Remark]:
    """Count letters that several workers held when they stopped."""
    waiting = select(func.count()).where(has_status(*WAITING), Delivery.deaths >= SUSPECT_DEATHS)
    if count := session.scalar(waiting):
        held = f"letters that {SUSPECT_DEATHS} workers or more held when they stopped: {count:,}"
        says = f"{held}; each is sent once more, alone"
        yield Remark("suspects", "deliveries", says)


def unanswered(session: Session) -> Iterator[Remark]:
    """Count sign-ups that could not be processed."""
    failed = select(func.count(), func.min(Signup.received_at)).where(Signup.state == SignupState.FAILED)
    count, since = session.execute(failed).one()
    if count:
        says = f"{count:,} could not be processed, the first received at {_when(since)}; the worker's log says why"
        yield Remark("unanswered", "signups", says)


def undeclared_proxy(session: Session) -> Iterator[Remark]:
    """Tell that sign-ups seem to come from this machine or its own network, as through a proxy that is not declared."""
    latest = session.scalars(select(Signup.evidence).order_by(Signup.id.desc()).limit(LATEST_SIGNUPS))
    clients = [evidence[EvidenceField.IP] for evidence in latest if EvidenceField.IP in evidence]
    private = [ip for ip in clients if networks.is_undeclared_proxy(ip)]
    if len(private) >= max(MIN_PRIVATE_SIGNUPS, len(clients) / 2):
        says = (
            f"{len(private)} of the last {len(clients)} came from private addresses such as {private[0]}. If that is a "
            "proxy, name it in NEWSLETTER_TRUSTED_PROXIES: until then no network of visitors has a limit"
        )
        yield Remark("undeclared-proxy", "signups", says)


def desk_closed(session: Session, problem: str | None) -> Iterator[Remark]:
    """Tell why the desk cannot be opened, once there are operators who would open it."""
    if problem and session.scalar(select(Operator.id).limit(1)):
        yield Remark("desk-closed", "desk", problem)


def relays(session: Session, *, now: datetime) -> Iterator[Remark]:
    """Tell which relays the workers cannot use, or use slowly, and why."""
    for notice in notices.current(session, now=now):
        yield Remark("relays", notice.place, f"since {_when(notice.since)}: {notice.says}")


def expired_drafts(session: Session, *, now: datetime) -> Iterator[Remark]:
    """Count the drafts of the last week that nobody approved in time."""
    recent = AuditEntry.verb == f"issue {EXPIRED}", AuditEntry.at > now - timedelta(days=7)
    count, last = session.execute(select(func.count(), func.max(AuditEntry.at)).where(*recent)).one()
    if count:
        says = (
            f"drafts that nobody approved in time, in the last week: {count:,}; the last was cancelled at {_when(last)}"
        )
        yield Remark("expired-drafts", "issues", says)


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown time"
