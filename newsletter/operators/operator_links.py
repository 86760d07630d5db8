"""Links that are mailed to operators: an invitation to the desk, and a way back after a lost password.

The row knows nothing of the token: `links.Links` signs the row's id. A link works once, for 24 hours, and a newer one
of the same purpose replaces it.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Update, exists, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log
from newsletter.operators.operators import Operator
from newsletter.store.database import Base

LIFETIME = timedelta(hours=24)


class LinkPurpose(StrEnum):
    """What an operator's link allows."""

    INVITATION = "invitation"
    RESET = "reset"


class OperatorLink(Base):
    """A link that was made for an operator."""

    __tablename__ = "operator_links"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[LinkPurpose]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)  # or replaced by a newer one

    def is_open(self, *, now: datetime) -> bool:
        """Whether it can still be used."""
        return self.used_at is None and now < self.expires_at


class LinkState(StrEnum):
    """Whether a link still works, and if not, why."""

    OPEN = "open"
    USED = "used"
    REPLACED = "replaced"
    EXPIRED = "expired"


def purpose_for(operator: Operator) -> LinkPurpose:
    """Return what a new link is for: the first password, or another one."""
    return LinkPurpose.INVITATION if operator.password_hash is None else LinkPurpose.RESET


def make(session: Session, operator: Operator, purpose: LinkPurpose, *, actor: str, now: datetime) -> OperatorLink:
    """Make a link for an operator, who can use no older one of the purpose from now on."""
    # The operator's row keeps a second request waiting, so that only the newest link stays open.
    session.execute(select(Operator.id).where(Operator.id == operator.id).with_for_update())
    session.execute(_open_ones(operator.id, purpose).values(used_at=now))
    link = OperatorLink(operator_id=operator.id, purpose=purpose, created_at=now, expires_at=now + LIFETIME)
    session.add(link)
    session.flush()
    subject, verb = f"operator:{operator.id}", f"operator's {purpose.value} link made"
    audit_log.record(session, actor=actor, verb=verb, subject=subject, newsletter_id=None, now=now)
    return link


def consume(session: Session, link_id: int, *, now: datetime) -> bool:
    """Use a link; return whether it was still open. Of two requests that use it at the same time, one is told no."""
    is_open = OperatorLink.id == link_id, OperatorLink.used_at.is_(None), OperatorLink.expires_at > now
    used = update(OperatorLink).where(*is_open).values(used_at=now).returning(OperatorLink.id)
    return session.scalar(used) is not None


def close(session: Session, operator_id: int, *, now: datetime) -> None:
    """End every open link of an operator: whoever has chosen a password needs none, and an older one may be stolen."""
    for purpose in LinkPurpose:
        session.execute(_open_ones(operator_id, purpose).values(used_at=now))


def state(session: Session, link: OperatorLink, *, now: datetime) -> LinkState:
    """Return whether a link still works, and if not, why."""
    if link.is_open(now=now):
        return LinkState.OPEN
    if link.used_at is None:
        return LinkState.EXPIRED
    newer = exists().where(
        OperatorLink.operator_id == link.operator_id,
        OperatorLink.purpose == link.purpose,
        OperatorLink.id > link.id,
        OperatorLink.created_at == link.used_at,
    )
    return LinkState.REPLACED if session.scalar(select(newer)) else LinkState.USED


def newest(session: Session, operator_id: int) -> OperatorLink | None:
    """Return the link that was made last for an operator, or None."""
    own = select(OperatorLink).where(OperatorLink.operator_id == operator_id)
    return session.scalar(own.order_by(OperatorLink.id.desc()).limit(1))


def newest_of_all(session: Session) -> dict[int, OperatorLink]:
    """Return the newest link of every operator who has one."""
    newest_ids = select(func.max(OperatorLink.id)).group_by(OperatorLink.operator_id)
    return {
        link.operator_id: link for link in session.scalars(select(OperatorLink).where(OperatorLink.id.in_(newest_ids)))
    }


def _open_ones(operator_id: int, purpose: LinkPurpose) -> Update:
    return update(OperatorLink).where(
        OperatorLink.operator_id == operator_id, OperatorLink.purpose == purpose, OperatorLink.used_at.is_(None)
    )
