"""Grants: the roles of an operator, for all newsletters or for single ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ForeignKey, Index, false, select, text, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.store.database import Base

EVERYWHERE = "all newsletters"
_EVERYWHERE = text("newsletter_id IS NULL")


class Grant(Base):
    """A role of an operator, for one newsletter or, without one, for all of them and for the service itself."""

    __tablename__ = "grants"
    __table_args__ = (
        Index("uq_grants_operator_id_newsletter_id", "operator_id", "newsletter_id", unique=True),
        Index(
            "uq_grants_operator_id_everywhere",
            "operator_id",
            unique=True,
            sqlite_where=_EVERYWHERE,
            postgresql_where=_EVERYWHERE,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"))
    newsletter_id: Mapped[int | None] = mapped_column(ForeignKey("newsletters.id"), default=None)
    role: Mapped[Role]


@dataclass(frozen=True)
class Grants:
    """All grants of one operator. A newsletter's role is the higher one of its own and the one for all."""

    everywhere: Role | None = None
    by_newsletter: Mapping[int, Role] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[int | None, Role]]) -> "Grants":
        """Return the grants in these rows: a newsletter, or None for all of them, and the role."""
        held = dict(rows)
        return cls(held.get(None), {number: role for number, role in held.items() if number is not None})

    def may(self, role: Role, newsletter_id: int | None = None) -> bool:
        """Whether the operator has the role for a newsletter; without one, for the whole service."""
        own = self.by_newsletter.get(newsletter_id) if newsletter_id is not None else None
        return any(held is not None and held.includes(role) for held in (self.everywhere, own))

    def may_somewhere(self, role: Role) -> bool:
        """Whether the operator has the role for at least one newsletter, or for all."""
        return self.may(role) or any(held.includes(role) for held in self.by_newsletter.values())

    def newsletters(self, role: Role = Role.VIEWER) -> frozenset[int] | None:
        """Return the ids of the newsletters for which the operator has the role; None: all, also later ones."""
        if self.may(role):
            return None
        return frozenset(number for number, held in self.by_newsletter.items() if held.includes(role))

    def among(self, newsletter_id: Any, role: Role = Role.VIEWER) -> ColumnElement[bool]:
        """Return the SQL condition that a column names a newsletter for which the operator has the role."""
        granted = self.newsletters(role)
        if granted is None:
            return true()
        return newsletter_id.in_(sorted(granted)) if granted else false()


class NamedGrant(NamedTuple):
    """A role with the newsletter for which it is held; without one, for all of them."""

    role: Role
    slug: str | None
    name: str


def named(session: Session, operator_id: int | None = None) -> dict[int, list[NamedGrant]]:
    """Return the grants of every operator, or of one, that for all newsletters first."""
    rows = select(Grant.operator_id, Grant.role, Newsletter.slug, Newsletter.name)
    rows = rows.outerjoin(Newsletter, Newsletter.id == Grant.newsletter_id)
    if operator_id is not None:
        rows = rows.where(Grant.operator_id == operator_id)
    held: dict[int, list[NamedGrant]] = {}
    ordered = rows.order_by(Grant.newsletter_id.is_not(None), Newsletter.name, Newsletter.id)
    for number, role, slug, name in session.execute(ordered):
        held.setdefault(number, []).append(NamedGrant(role, slug, name or EVERYWHERE))
    return held
