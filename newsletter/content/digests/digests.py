"""Digests: the rules that turn articles into issues, on a schedule."""

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


@dataclass(frozen=True)
class Rule:
    """How many articles an issue takes at most, and whether a person approves it or it leaves by itself."""

    articles: int
    send: str  # approve or automatic

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The rule in a digest's row. Keys that a newer release has added are left out: it may be running beside us."""
        return cls(**{each.name: stored[each.name] for each in fields(cls)})


class Digest(Base):
    """A rule with a schedule: cron, read by the wall clocks of an IANA zone."""

    __tablename__ = "digests"
    __table_args__ = (UniqueConstraint("newsletter_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    name: Mapped[str] = mapped_column(String(80))
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
    """Let a newsletter come out on a schedule, by the clocks of its own zone unless another is named."""
    issues.check_size(articles)
    if not name.strip() or not name.isprintable() or len(name) > 80:
        raise Malformed("name", "Give the digest a name of at most 80 characters in one line.")
    if session.scalar(select(Digest.id).where(Digest.newsletter_id == newsletter.id, Digest.name == name.strip())):
        raise Malformed("name", f"“{newsletter.name}” has a digest “{name.strip()}” already.")
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
    """All digests with their newsletters."""
    both = select(Digest, Newsletter).join(Newsletter, Newsletter.id == Digest.newsletter_id)
    return [(digest, newsletter) for digest, newsletter in session.execute(both.order_by(Newsletter.slug, Digest.id))]


def schedule(session: Session, newsletter_id: int) -> str | None:
    """How often a newsletter comes, in a sentence: its readers are told before they agree. None without a digest."""
    return schedules(session, [newsletter_id]).get(newsletter_id)


def schedules(session: Session, newsletter_ids: Collection[int]) -> dict[int, str]:
    """How often each of these newsletters comes, by its id; one without an active digest is left out."""
    active = select(Digest).where(Digest.newsletter_id.in_(newsletter_ids), Digest.active).order_by(Digest.id)
    sentences: dict[int, list[str]] = {}
    for each in session.scalars(active):
        sentences.setdefault(each.newsletter_id, []).append(recurrence.in_words(each.cron, each.zone))
    return {number: " ".join(said) for number, said in sentences.items()}


def upcoming(digest: Digest, *, now: datetime, count: int) -> list[datetime]:
    """When the digest comes out next, in UTC."""
    return recurrence.next_runs(digest.cron, digest.zone, after=max(now, digest.starts_at), count=count)


def active(session: Session, *, now: datetime) -> list[int]:
    """The digests that have begun to come out, by id: each is drafted in a transaction of its own."""
    begun = select(Digest.id).where(Digest.active, Digest.starts_at <= now)
    return list(session.scalars(begun.order_by(Digest.newsletter_id, Digest.id)))
