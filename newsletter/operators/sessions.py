"""Sessions: the devices on which operators are signed in.

The browser holds a random token, the database its hash. A session ends after 12 hours without a request, after 14 days
in any case, and when somebody ends it. Ended ones are kept for a day: a form that was being filled in is then carried
over the sign-in, for the same operator only. One that still lacks its second factor waits ten minutes for it.
"""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, LargeBinary, String, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base

IDLE = timedelta(hours=12)
UNFINISHED = timedelta(minutes=10)
LONGEST = timedelta(days=14)
SEEN_EVERY = timedelta(minutes=15)  # how exactly the last use is known
KEPT_ENDED = timedelta(days=1)
TOKEN_BYTES = 32
MAX_DEVICE = 300  # characters


class SessionStage(StrEnum):
    """How far an operator has signed in."""

    PASSWORD = "password"  # noqa: S105 - the password was right; the second factor is still missing
    FULL = "full"


class OperatorSession(Base):
    """One sign-in on one device."""

    __tablename__ = "operator_sessions"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    stage: Mapped[SessionStage]
    device: Mapped[str] = mapped_column(String(MAX_DEVICE))  # the browser's User-Agent
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)

    def is_open(self, *, now: datetime) -> bool:
        """Whether it has neither ended nor expired."""
        longest = LONGEST if self.stage is SessionStage.FULL else UNFINISHED
        return self.ended_at is None and now < min(self.seen_at + IDLE, self.created_at + longest)


def hashed(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def begin(session: Session, operator_id: int, *, device: str, stage: SessionStage, now: datetime) -> str:
    """Sign an operator in on a device; return the new token, which only the browser keeps."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    session.add(
        OperatorSession(
            token_hash=hashed(token),
            operator_id=operator_id,
            stage=stage,
            device=device[:MAX_DEVICE],
            created_at=now,
            seen_at=now,
        )
    )
    session.flush()
    return token


def find(session: Session, token: str) -> OperatorSession | None:
    """Return the session of a token, open or not; None if there is none."""
    return session.scalar(select(OperatorSession).where(OperatorSession.token_hash == hashed(token)))


def of_operator(session: Session, operator_id: int, *, now: datetime) -> list[OperatorSession]:
    """Return the open sessions of an operator, the one used last first."""
    every = select(OperatorSession).where(
        OperatorSession.operator_id == operator_id, OperatorSession.ended_at.is_(None)
    )
    newest = session.scalars(every.order_by(OperatorSession.seen_at.desc(), OperatorSession.id.desc()))
    return [each for each in newest if each.is_open(now=now)]


def end(
    session: Session, operator_id: int, *, now: datetime, only: int | None = None, besides: int | None = None
) -> int:
    """End the sessions of an operator, only one of them or all besides one; return how many were open."""
    open_ones = update(OperatorSession).where(
        OperatorSession.operator_id == operator_id, OperatorSession.ended_at.is_(None)
    )
    if only is not None:
        open_ones = open_ones.where(OperatorSession.id == only)
    if besides is not None:
        open_ones = open_ones.where(OperatorSession.id != besides)
    return len(session.scalars(open_ones.values(ended_at=now).returning(OperatorSession.id)).all())


def mark_seen(session: Session, numbers: Collection[int], *, now: datetime) -> None:
    """Record that these sessions were used."""
    seen = update(OperatorSession).where(OperatorSession.id.in_(numbers), OperatorSession.ended_at.is_(None))
    session.execute(seen.values(seen_at=now))


def was_over(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a session ended or expired more than a day ago, so that it can be deleted."""
    before = now - KEPT_ENDED
    return or_(
        OperatorSession.ended_at < before,
        OperatorSession.seen_at < before - IDLE,
        OperatorSession.created_at < before - LONGEST,
    )
