"""Acts: who changed what, appended and never changed.

Whatever operators answer for (newsletters, wordings, feeds, digests, issues, operators) is changed by a use case that
takes an `actor` and writes the act itself, in the transaction of the change. So no edge can forget it, neither the
command nor the desk nor a worker: who names no actor gets no change.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base

# Who acts when no person does; a person is `cli:USER` or `operator:ID`.
SCHEDULER = "scheduler"
WORKER = "worker"
SITE = "site"


class Act(Base):
    """What somebody did. It holds nobody's personal value: ids, names of fields and plain facts only."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    actor: Mapped[str] = mapped_column(String(255))
    verb: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
    fields: Mapped[dict[str, Any]]
    at: Mapped[datetime]


def act(session: Session, *, actor: str, verb: str, subject: str, now: datetime, **fields: Any) -> None:
    """Remember that `actor` did `verb` to `subject` (`issue:12`, `newsletter:morning`)."""
    session.add(Act(actor=actor, verb=verb, subject=subject, fields=fields, at=now))
    session.flush()


def newest(session: Session, *, limit: int) -> list[Act]:
    """The last so many acts, the newest last."""
    return list(session.scalars(select(Act).order_by(Act.id.desc()).limit(limit)))[::-1]


def last(session: Session, *, subject: str, verb: str) -> Act | None:
    """The last time that somebody did this to it."""
    found = select(Act).where(Act.subject == subject, Act.verb == verb)
    return session.scalar(found.order_by(Act.id.desc()).limit(1))
