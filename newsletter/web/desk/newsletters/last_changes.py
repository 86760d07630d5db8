"""The last entries of the audit log about a newsletter and what belongs to it."""

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from newsletter.audit_log import AuditEntry
from newsletter.newsletters import Newsletter

SHOWN = 10


def of(session: Session, newsletter: Newsletter, *, limit: int = SHOWN) -> list[AuditEntry]:
    """Return the newest entries about a newsletter, the newest first."""
    # Entries of the releases before name no newsletter, but those about itself have it as their subject.
    either = AuditEntry.newsletter_id == newsletter.id, AuditEntry.subject == f"newsletter:{newsletter.slug}"
    # Each half reads the end of an index of its own.
    newest = (select(AuditEntry.id).where(about).order_by(AuditEntry.id.desc()).limit(limit) for about in either)
    ids = union(*(select(half.subquery().c.id) for half in newest))
    entries = select(AuditEntry).where(AuditEntry.id.in_(ids)).order_by(AuditEntry.id.desc()).limit(limit)
    return list(session.scalars(entries))
