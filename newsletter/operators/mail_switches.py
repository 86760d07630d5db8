"""Which notices an operator gets by mail. All are on until the operator switches them off."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.operators.operators import Operator


class NoticeKind(StrEnum):
    """What an operator is told by mail. The values are stored, and name the letters' templates."""

    ISSUE_WAITS = "issue_waits"  # for approval
    ISSUE_PAUSED = "issue_paused"  # by the service
    FEED_FAILING = "feed_failing"  # for a day


def switched_on(operator: Operator) -> set[NoticeKind]:
    """Return the notices that an operator gets. A kind that only another release knows is left alone."""
    off = set(operator.mail_off or ())
    return {kind for kind in NoticeKind if kind.value not in off}


def switch(session: Session, operator: Operator, on: Collection[NoticeKind], *, actor: str, now: datetime) -> None:
    """Switch these notices on and all others off. Nothing happens if they are already."""
    if set(on) == switched_on(operator):
        return
    unknown = [kind for kind in operator.mail_off or () if kind not in set(NoticeKind)]
    off = sorted(kind.value for kind in NoticeKind if kind not in on)
    operator.mail_off = [*unknown, *off] or None
    subject, verb = f"operator:{operator.id}", "operator's mail changed"
    audit_log.record(session, actor=actor, verb=verb, subject=subject, newsletter_id=None, now=now, off=off)
