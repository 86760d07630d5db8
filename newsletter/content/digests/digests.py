"""The digests of a newsletter: add, find and list them, and describe their schedules."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import ColumnElement, ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log, newsletters
from newsletter.content.digests import due_runs, recurrence
from newsletter.content.digests.due_runs import UpcomingRun
from newsletter.content.digests.explanation import DigestSchedule
from newsletter.content.issues import issues
from newsletter.errors import Malformed, NotFound
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

MAX_NAME = 80  # characters
MAX_APPROVAL_HOURS = 8784  # a year


class WhenLate(StrEnum):
    """When an automatic digest makes up for a run that it missed by more than an hour."""

    WAIT = "wait"  # at the next time of day of its schedule
    AT_ONCE = "at-once"  # whatever time it is


@dataclass(frozen=True)
class Rule:
    """What an issue holds, who approves it, and what happens to a late or an unapproved one."""

    articles: int  # at most
    send: str  # "approve": a person approves the issue; "automatic": the scheduler does
    approve_within: int = 72  # hours; then a draft gives its articles back
    late: str = WhenLate.WAIT.value  # of automatic digests; a draft for approval is made at once
    archive: bool = False  # whether articles count that were old when they were first seen

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Return the rule stored in a digest's row.

        Unknown keys are ignored: a newer release may run at the same time and may have added them. Keys that the
        release before does not write have defaults.
        """
        return cls(**{field.name: stored[field.name] for field in fields(cls) if field.name in stored})

    @property
    def is_automatic(self) -> bool:
        """Whether the scheduler approves the issues."""
        return self.send == "automatic"

    @property
    def waits_when_late(self) -> bool:
        """Whether a run that is late waits for the schedule's next time of day."""
        return self.is_automatic and self.late == WhenLate.WAIT


class Digest(Base):
    """A rule with a schedule: a cron expression in the local time of an IANA zone."""

    __tablename__ = "digests"
    __table_args__ = (UniqueConstraint("newsletter_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    rule: Mapped[dict[str, Any]]  # see Rule; `removed_at` marks a removed digest, whose row stays for its issues
    cron: Mapped[str] = mapped_column(String(recurrence.MAX_CRON))
    zone: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime]
    last_run_at: Mapped[datetime | None] = mapped_column(default=None)
    active: Mapped[bool] = mapped_column(default=True)  # False: paused or removed

    @property
    def is_removed(self) -> bool:
        """Whether an operator has removed the digest."""
        return "removed_at" in self.rule

    @property
    def drafted_until(self) -> datetime:
        """The time up to which no run is due any more."""
        return max(self.last_run_at or self.starts_at, self.starts_at)


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
    approve_within: int = 72,
    late: WhenLate = WhenLate.WAIT,
    archive: bool = False,
    zone: str | None = None,
    starts_at: datetime | None = None,
) -> Digest:
    """Add a digest to a newsletter, in the newsletter's time zone unless another is given.

    Raises Malformed, naming the field, for a bad or a duplicate name, schedule, zone or number.
    """
    rule = Rule(articles, "automatic" if automatic else "approve", approve_within, late.value, archive)
    check_rule(rule)
    recurrence.check(cron, zone or newsletter.zone)
    digest = Digest(
        newsletter_id=newsletter.id,
        name=free_name(session, newsletter, name),
        rule=asdict(rule),
        cron=" ".join(cron.split()),
        zone=zone or newsletter.zone,
        starts_at=starts_at or now,
    )
    session.add(digest)
    session.flush()
    log_change(session, digest, "added", actor=actor, now=now, newsletter=newsletter.slug)
    return digest


def check_rule(rule: Rule) -> None:
    """Raise Malformed, naming the field, unless the numbers of the rule are possible."""
    issues.check_size(rule.articles)
    if not 1 <= rule.approve_within <= MAX_APPROVAL_HOURS:
        raise Malformed("approve_within", f"Enter 1 to {MAX_APPROVAL_HOURS} hours.")


def free_name(session: Session, newsletter: Newsletter, name: str) -> str:
    """Return the name without surrounding spaces.

    Raises Malformed if it is bad, or if another digest of the newsletter has it.
    """
    name = name.strip()
    if not name or not name.isprintable() or len(name) > MAX_NAME:
        raise Malformed("name", f"Enter a name on one line, of at most {MAX_NAME} characters.")
    newsletters.lock(session, newsletter.id)  # or two commands could give two digests one name
    if session.scalar(select(Digest.id).where(Digest.newsletter_id == newsletter.id, Digest.name == name)):
        raise Malformed("name", f"“{newsletter.name}” already has a digest named “{name}”.")
    return name


def log_change(session: Session, digest: Digest, verb: str, *, actor: str, now: datetime, **facts: Any) -> None:
    """Add a change of a digest to the audit log."""
    audit_log.record(
        session,
        actor=actor,
        verb=f"digest {verb}",
        subject=f"digest:{digest.id}",
        newsletter_id=digest.newsletter_id,
        now=now,
        **facts,
    )


def numbered(session: Session, digest_id: int) -> tuple[Digest, Newsletter]:
    """Return the digest with this id and its newsletter; raises NotFound if there is none or it was removed."""
    digest = session.get(Digest, digest_id)
    if digest is None or digest.is_removed:
        raise NotFound(f"There is no digest {digest_id}.")
    return digest, session.get_one(Newsletter, digest.newsletter_id)


def every(session: Session, *conditions: ColumnElement[bool]) -> list[tuple[Digest, Newsletter]]:
    """Return all digests but the removed ones, with their newsletters, by newsletter."""
    both = select(Digest, Newsletter).join(Newsletter, Newsletter.id == Digest.newsletter_id).where(*conditions)
    rows = session.execute(both.order_by(Newsletter.slug, Digest.id))
    return [(digest, newsletter) for digest, newsletter in rows if not digest.is_removed]


def schedule(session: Session, newsletter_id: int) -> DigestSchedule | None:
    """Return how often a newsletter is sent, which visitors see before they agree; None if unknown."""
    return schedules(session, [newsletter_id]).get(newsletter_id)


def schedules(session: Session, newsletter_ids: Collection[int]) -> dict[int, DigestSchedule]:
    """Return the same for several newsletters, by id; those without an active digest are left out."""
    active = select(Digest).where(Digest.newsletter_id.in_(newsletter_ids), Digest.active).order_by(Digest.id)
    runs: dict[int, list[tuple[str, str]]] = {}
    for each in session.scalars(active):
        runs.setdefault(each.newsletter_id, []).append((each.cron, each.zone))
    return {newsletter_id: DigestSchedule(tuple(each)) for newsletter_id, each in runs.items()}


def due_run(digest: Digest, *, now: datetime) -> datetime | None:
    """Return the time of the newest missed run if the digest makes up for it now; None if nothing is due."""
    if not digest.active or digest.starts_at > now:
        return None
    waits = Rule.read(digest.rule).waits_when_late
    return due_runs.due(digest.cron, digest.zone, after=digest.drafted_until, now=now, waits=waits)


def upcoming(digest: Digest, *, now: datetime, count: int) -> list[UpcomingRun]:
    """Return the digest's next `count` runs; the first may make up for one that was missed."""
    waits = Rule.read(digest.rule).waits_when_late
    return due_runs.upcoming(digest.cron, digest.zone, after=digest.drafted_until, now=now, waits=waits, count=count)


def active(session: Session, *, now: datetime) -> list[int]:
    """Return the ids of the digests that are active and have started."""
    started = select(Digest.id).where(Digest.active, Digest.starts_at <= now)
    return list(session.scalars(started.order_by(Digest.newsletter_id, Digest.id)))
