"""The digests of a newsletter: add and list them, and describe their schedules."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log
from newsletter.content import issues
from newsletter.content.digests import recurrence
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

MAX_NAME = 80  # characters


@dataclass(frozen=True)
class Rule:
    """How many articles an issue has at most, and whether a person approves it or the scheduler sends it."""

    articles: int
    send: str  # "approve" or "automatic"

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Return the rule stored in a digest's row.

        Unknown keys are ignored: a newer release may run at the same time and may have added them.
        """
        return cls(**{field.name: stored[field.name] for field in fields(cls)})


class Digest(Base):
    """A rule with a schedule: a cron expression in the local time of an IANA zone."""

    __tablename__ = "digests"
    __table_args__ = (UniqueConstraint("newsletter_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    rule: Mapped[dict[str, Any]]
    cron: Mapped[str] = mapped_column(String(255))
    zone: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime]
    last_run_at: Mapped[datetime | None] = mapped_column(default=None)
    active: Mapped[bool] = mapped_column(default=True)


def add(
    session: Session,
    newsletter: Newsletter,
    *,
    name: str,
    cron: str,
    actor: str,
    now: datetime,
    articles: int = 12,
    automatic: bool = False,
    zone: str | None = None,
    starts_at: datetime | None = None,
) -> Digest:
    """Add a digest to a newsletter, in the newsletter's time zone unless another is given.

    Raises Malformed, naming the field, for a bad or a duplicate name, schedule, zone or number of articles.
    """
    issues.check_size(articles)
    if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        raise Malformed("name", f"Enter a name on one line, of at most {MAX_NAME} characters.")
    if session.scalar(select(Digest.id).where(Digest.newsletter_id == newsletter.id, Digest.name == name.strip())):
        raise Malformed("name", f"“{newsletter.name}” already has a digest named “{name.strip()}”.")
    recurrence.check(cron, zone or newsletter.zone)
    rule = Rule(articles, "automatic" if automatic else "approve")
    digest = Digest(
        newsletter_id=newsletter.id,
        name=name.strip(),
        rule=asdict(rule),
        cron=" ".join(cron.split()),
        zone=zone or newsletter.zone,
        starts_at=starts_at or now,
    )
    session.add(digest)
    session.flush()
    subject = f"digest:{digest.id}"
    audit_log.record(session, actor=actor, verb="digest added", subject=subject, now=now, newsletter=newsletter.slug)
    return digest


def every(session: Session) -> list[tuple[Digest, Newsletter]]:
    """Return all digests with their newsletters, by newsletter."""
    both = select(Digest, Newsletter).join(Newsletter, Newsletter.id == Digest.newsletter_id)
    return [(digest, newsletter) for digest, newsletter in session.execute(both.order_by(Newsletter.slug, Digest.id))]


def schedule(session: Session, newsletter_id: int) -> str | None:
    """Return how often a newsletter is sent, as a sentence that visitors see before they agree; None if unknown."""
    return schedules(session, [newsletter_id]).get(newsletter_id)


def schedules(session: Session, newsletter_ids: Collection[int]) -> dict[int, str]:
    """Return the same sentence for several newsletters, by id; those without an active digest are left out."""
    active = select(Digest).where(Digest.newsletter_id.in_(newsletter_ids), Digest.active).order_by(Digest.id)
    sentences: dict[int, list[str]] = {}
    for each in session.scalars(active):
        sentences.setdefault(each.newsletter_id, []).append(recurrence.in_words(each.cron, each.zone))
    return {newsletter_id: " ".join(parts) for newsletter_id, parts in sentences.items()}


def upcoming(digest: Digest, *, now: datetime, count: int) -> list[datetime]:
    """Return the digest's next `count` runs, in UTC."""
    return recurrence.next_runs(digest.cron, digest.zone, after=max(now, digest.starts_at), count=count)


def active(session: Session, *, now: datetime) -> list[int]:
    """Return the ids of the digests that are active and have started."""
    started = select(Digest.id).where(Digest.active, Digest.starts_at <= now)
    return list(session.scalars(started.order_by(Digest.newsletter_id, Digest.id)))
