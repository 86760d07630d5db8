"""The audit log: who changed what, append-only.

Every use case that changes newsletters, wordings, feeds, digests, issues or operators takes an `actor` and writes the
entry itself, in the transaction of the change. So neither a command nor the desk nor a worker can forget it.
"""

import os
import pwd
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base

# Actors that are not people. A person is `cli:USER` or `operator:ID`.
SCHEDULER = "scheduler"
WORKER = "worker"
SITE = "site"

SEEN_REPLIES = "seen_replies"  # a field for the service only, too long to be shown


class AuditEntry(Base):
    """One change. It contains no personal data of readers or operators, only ids, field names and plain facts."""

    __tablename__ = "acts"
    __table_args__ = (
        Index(None, "newsletter_id", "id"),
        Index(None, "subject", "id"),
        Index(None, "actor", "id"),
        Index(None, "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    actor: Mapped[str] = mapped_column(String(255))
    verb: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
    fields: Mapped[dict[str, Any]]
    # Whose people may see it. None: of the service itself, or written by a release without this column.
    newsletter_id: Mapped[int | None] = mapped_column(default=None)
    at: Mapped[datetime]

    @property
    def shown_fields(self) -> dict[str, Any]:
        """The fields that are meant for people."""
        return {name: value for name, value in self.fields.items() if name != SEEN_REPLIES}


def record(
    session: Session,
    *,
    actor: str,
    verb: str,
    subject: str,
    newsletter_id: int | None,
    now: datetime,
    **fields: Any,
) -> None:
    """Record that `actor` did `verb` to `subject` (`issue:12`, `newsletter:morning`).

    Who may view the newsletter may see the entry. None: it is of the service itself, or of several newsletters.
    """
    entry = AuditEntry(actor=actor, verb=verb, subject=subject, fields=fields, newsletter_id=newsletter_id, at=now)
    session.add(entry)
    session.flush()


def about(session: Session, *, subject: str, verb: str) -> list[AuditEntry]:
    """Return the entries with this subject and verb, in the order in which they were written."""
    entries = select(AuditEntry).where(AuditEntry.subject == subject, AuditEntry.verb == verb)
    return list(session.scalars(entries.order_by(AuditEntry.id)))


def last(session: Session, *, subject: str, verb: str) -> AuditEntry | None:
    """Return the newest entry with this subject and verb, or None."""
    entries = select(AuditEntry).where(AuditEntry.subject == subject, AuditEntry.verb == verb)
    return session.scalar(entries.order_by(AuditEntry.id.desc()).limit(1))


def system_user() -> str:
    """Return the user who runs this process, as an actor. The environment (USER, LOGNAME) cannot change it."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user may have no name
        return f"cli:{os.getuid()}"
