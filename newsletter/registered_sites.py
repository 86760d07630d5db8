"""Sites of publishers that may show a newsletter's sign-up box and post to the service."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import newsletters
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.origins import MAX_ORIGIN_CHARACTERS, origin_of
from newsletter.store.database import Base


class RegisteredSite(Base):
    """An origin (RFC 6454), such as https://www.example.org, for one newsletter."""

    __tablename__ = "registered_sites"
    __table_args__ = (UniqueConstraint("newsletter_id", "origin"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    origin: Mapped[str] = mapped_column(String(MAX_ORIGIN_CHARACTERS))
    registered_at: Mapped[datetime]


def register(session: Session, newsletter: Newsletter, origin: str, *, actor: str, now: datetime) -> RegisteredSite:
    """Let a site show the newsletter's form. Return its row, also if it is registered already.

    `origin` is the address of the site or of any of its pages. Raises Malformed, naming "origin".
    """
    normal = origin_of(origin)
    newsletters.lock(session, newsletter.id)
    known = _row(session, newsletter, normal)
    if known:
        return known
    row = RegisteredSite(newsletter_id=newsletter.id, origin=normal, registered_at=now)
    session.add(row)
    newsletters.log_change(session, newsletter, "site registered", actor=actor, now=now, origin=normal)
    return row


def remove(session: Session, newsletter: Newsletter, origin: str, *, actor: str, now: datetime) -> str:
    """Let a site no longer show the newsletter's form; return its origin.

    Raises Malformed as `register` does, and NotFound if it is not registered; both with a message for operators.
    """
    normal = origin_of(origin)
    newsletters.lock(session, newsletter.id)
    row = _row(session, newsletter, normal)
    if row is None:
        raise NotFound(f"“{normal}” is not registered for “{newsletter.slug}”.")
    session.delete(row)
    newsletters.log_change(session, newsletter, "site removed", actor=actor, now=now, origin=normal)
    return normal


def of(session: Session, newsletter_id: int) -> list[RegisteredSite]:
    """Return the sites of a newsletter by the alphabet."""
    sites = select(RegisteredSite).where(RegisteredSite.newsletter_id == newsletter_id)
    return list(session.scalars(sites.order_by(RegisteredSite.origin)))


def of_all(session: Session, among: Iterable[Newsletter]) -> list[str]:
    """Return the origins that are registered for each of these newsletters, by the alphabet."""
    return sorted(set.intersection(*({site.origin for site in of(session, each.id)} for each in among)))


def by_newsletter(session: Session) -> dict[int, frozenset[str]]:
    """Return the origins of the sites of each newsletter that has any, by the newsletters' ids."""
    found: dict[int, set[str]] = {}
    for newsletter_id, origin in session.execute(select(RegisteredSite.newsletter_id, RegisteredSite.origin)):
        found.setdefault(newsletter_id, set()).add(origin)
    return {newsletter_id: frozenset(origins) for newsletter_id, origins in found.items()}


def _row(session: Session, newsletter: Newsletter, origin: str) -> RegisteredSite | None:
    found = select(RegisteredSite).where(RegisteredSite.newsletter_id == newsletter.id, RegisteredSite.origin == origin)
    return session.scalar(found)
