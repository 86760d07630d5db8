"""The last entries of the audit log about a newsletter and what belongs to it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.audit_log import AuditEntry
from newsletter.newsletters import Newsletter

SHOWN = 10


def of(session: Session, newsletter: Newsletter, *, limit: int = SHOWN) -> list[AuditEntry]:
    """Return the newest entries about a newsletter, the newest first."""
    # Entries of the releases before name no newsletter, but those about itself have it as their subject.
    either = AuditEntry.newsletter_id == newsletter.id, AuditEntry.subject == f"newsletter:{newsletter.slug}"
    found = {
        entry.id: entry
        for about in either
        for entry in session.scalars(select(AuditEntry).where(about).order_by(AuditEntry.id.desc()).limit(limit))
    }
    return sorted(found.values(), key=lambda entry: entry.id, reverse=True)[:limit]
