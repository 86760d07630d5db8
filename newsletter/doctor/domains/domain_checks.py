"""The last check of each newsletter's sending domain, which a worker makes when somebody asks for it."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.doctor.domains.domain_examiner import DomainExaminer
from newsletter.doctor.domains.verdicts import Level, Verdict, unknown
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import Base, Begin, insert_once

ABOUT_THE_SERVICE = ("addresses", "ptr", "tls", "base-url")  # checks of servers and settings, not of the domain
SEVERITY = (Level.WRONG, Level.UNKNOWN, Level.ADVICE, Level.OK)  # the worst first

log = logging.getLogger(__name__)


class DomainCheck(Base):
    """What a check found: the verdicts, oldest check first to be replaced."""

    __tablename__ = "domain_checks"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    requested_at: Mapped[datetime]
    checked_at: Mapped[datetime | None] = mapped_column(default=None)  # of `verdicts`; older than a repeated request
    verdicts: Mapped[list[Any] | None] = mapped_column(default=None)  # see verdicts.Verdict

    @property
    def is_pending(self) -> bool:
        """Whether a worker has yet to answer the last request."""
        return self.checked_at is None or self.checked_at < self.requested_at

    @property
    def found(self) -> list[Verdict]:
        """The verdicts, the worst first."""
        read = [Verdict(**{**each, "level": Level(each["level"])}) for each in self.verdicts or ()]
        return sorted(read, key=lambda verdict: SEVERITY.index(verdict.level))

    def found_by(self, *, sees_service: bool) -> list[Verdict]:
        """Return the verdicts that an operator may see: those on the servers only with a role for all newsletters."""
        return [each for each in self.found if sees_service or each.check not in ABOUT_THE_SERVICE]

    def is_about(self, newsletter: Newsletter) -> bool:
        """Whether it was made of the domain from which the newsletter is sent now."""
        domain = newsletter.sender.rpartition("@")[2].lower()
        return any(verdict.about == domain for verdict in self.found)


def request(session: Session, newsletter_id: int, *, now: datetime) -> bool:
    """Ask for a check, unless one was asked for that is not made yet; return whether this is a new request.

    Then wake the workers of Queue.FEEDS.
    """
    if insert_once(session, DomainCheck, newsletter_id=newsletter_id, requested_at=now):
        return True
    again = update(DomainCheck).where(
        DomainCheck.newsletter_id == newsletter_id, DomainCheck.checked_at >= DomainCheck.requested_at
    )
    return session.scalar(again.values(requested_at=now).returning(DomainCheck.newsletter_id)) is not None


def last(session: Session, newsletter_ids: Sequence[int]) -> dict[int, DomainCheck]:
    """Return the checks of these newsletters by their ids; those for which none was asked are missing."""
    chosen = select(DomainCheck).where(DomainCheck.newsletter_id.in_(newsletter_ids))
    return {check.newsletter_id: check for check in session.scalars(chosen)}


def make_one(reading: Begin, begin: Begin, examiner: DomainExaminer, *, now: datetime) -> bool:
    """Make the check that was asked for first; return whether there was one.

    No transaction is open while the DNS is asked. Two workers may make the same check, and the later result stays.
    """
    is_pending = or_(DomainCheck.checked_at.is_(None), DomainCheck.checked_at < DomainCheck.requested_at)
    waiting = select(DomainCheck, Newsletter).join(Newsletter, Newsletter.id == DomainCheck.newsletter_id)
    with reading() as session:
        first = session.execute(waiting.where(is_pending).order_by(DomainCheck.requested_at).limit(1)).one_or_none()
    if first is None:
        return False
    check, newsletter = first
    found = [verdict._asdict() for verdict in _examined(examiner, newsletter)]
    with begin() as session:
        made = update(DomainCheck).where(DomainCheck.newsletter_id == check.newsletter_id)
        session.execute(made.values(verdicts=found, checked_at=max(now, check.requested_at)))
    return True


def _examined(examiner: DomainExaminer, newsletter: Newsletter) -> list[Verdict]:
    """Return the verdicts. If the check itself fails, that is one: it must not be repeated for ever."""
    try:
        return examiner.examine([newsletter])
    except Exception as error:  # noqa: BLE001 - whatever fails is told to the operator
        log_failure(log, "a sending domain could not be checked", error)
        domain = newsletter.sender.rpartition("@")[2].lower()
        return [unknown("check", domain, "the check failed inside the service; the worker's log says why")]
