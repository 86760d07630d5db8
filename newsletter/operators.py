"""Operators, and the acts that they and the command line are answerable for."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.database import Base


class Operator(Base):
    """Somebody who may work at the desk."""

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    address: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(String(24))
    created_at: Mapped[datetime]


class Act(Base):
    """What somebody did, appended and never changed. It holds no reader's personal value: ids and field names only."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    actor: Mapped[str] = mapped_column(String(255))  # an operator's id, or cli:USER, or scheduler
    verb: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
    fields: Mapped[dict[str, Any]]
    at: Mapped[datetime]


def act(session: Session, *, actor: str, verb: str, subject: str, now: datetime, **fields: Any) -> None:
    """Remember that `actor` did `verb` to `subject` (`issue:12`, `newsletter:morning`)."""
    session.add(Act(actor=actor, verb=verb, subject=subject, fields=fields, at=now))
