"""Acts: who changed what, appended and never changed.

Whatever operators answer for (newsletters, wordings, feeds, digests, issues, operators) is changed by a use case that
takes an `actor` and writes the act itself, in the transaction of the change. So no edge can forget it, neither the
command nor the desk nor a worker: who names no actor gets no change.
"""

import os
import pwd
from datetime import datetime
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base

# Who acts when no person does; a person is `cli:USER` or `operator:ID`.
SCHEDULER = "scheduler"
WORKER = "worker"
SITE = "site"


class AuditEntry(Base):
    """What somebody did. It holds nobody's personal value: ids, names of fields and plain facts only."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    actor: Mapped[str] = mapped_column(String(255))
    verb: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
    fields: Mapped[dict[str, Any]]
    at: Mapped[datetime]


def record(session: Session, *, actor: str, verb: str, subject: str, now: datetime, **fields: Any) -> None:
    """Remember that `actor` did `verb` to `subject` (`issue:12`, `newsletter:morning`)."""
    session.add(AuditEntry(actor=actor, verb=verb, subject=subject, fields=fields, at=now))
    session.flush()


def newest(session: Session, *, limit: int) -> list[AuditEntry]:
    """The last so many acts, the newest last."""
    return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)))[::-1]


def last(session: Session, *, subject: str, verb: str) -> AuditEntry | None:
    """The last time that somebody did this to it."""
    found = select(AuditEntry).where(AuditEntry.subject == subject, AuditEntry.verb == verb)
    return session.scalar(found.order_by(AuditEntry.id.desc()).limit(1))


def system_user() -> str:
    """Return the operating system's user as an actor: the one who runs a command, whatever the environment says."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user may have no name
        return f"cli:{os.getuid()}"
