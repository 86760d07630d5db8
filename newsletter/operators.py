"""Operators: who may work at the desk, and what each may do there."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses, audit_log
from newsletter.errors import Malformed, NotFound
from newsletter.store.database import Base, insert_once


class Role(StrEnum):
    """What an operator may do: each role all that the one before it may, and more."""

    VIEWER = "viewer"  # sees everything but readers' addresses
    EDITOR = "editor"  # feeds, digests and drafts
    PUBLISHER = "publisher"  # approves issues and sends them
    ADMIN = "admin"  # operators, newsletters, consent words, and what readers ask for about themselves


class Operator(Base):
    """Somebody who may work at the desk. Acts name them `operator:ID`, and no number is given twice."""

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    address: Mapped[str] = mapped_column(unique=True)  # as two spellings of it compare, so that nobody is there twice
    role: Mapped[Role]
    created_at: Mapped[datetime]


def add(session: Session, address: str, *, role: Role, actor: str, now: datetime) -> Operator:
    """Let somebody work at the desk."""
    key = addresses.parse(address, field="address").key
    if not insert_once(session, Operator, address=key, role=role, created_at=now):
        raise Malformed("address", "This address has an operator already; its role is changed with: operators role")
    operator = of_address(session, key)
    _act(session, operator, "operator added", actor=actor, now=now, role=role.value)
    return operator


def assign(session: Session, operator: Operator, role: Role, *, actor: str, now: datetime) -> None:
    """Give an operator another role; nothing happens if it is theirs already."""
    if operator.role is not role:
        before, operator.role = operator.role, role
        _act(session, operator, "operator's role changed", actor=actor, now=now, role=role.value, before=before.value)


def remove(session: Session, operator: Operator, *, actor: str, now: datetime) -> None:
    """End somebody's work at the desk. What they did stays among the acts, under their number."""
    _act(session, operator, "operator removed", actor=actor, now=now)
    session.delete(operator)
    session.flush()


def of_address(session: Session, address: str) -> Operator:
    """The operator of that address, in whatever spelling; locked. Raises NotFound."""
    key = addresses.parse(address, field="address").key
    if operator := session.scalar(select(Operator).where(Operator.address == key).with_for_update()):
        return operator
    raise NotFound("No operator has that address. See who there is: newsletter operators list")


def every(session: Session) -> list[Operator]:
    """All operators, in the order in which they came."""
    return list(session.scalars(select(Operator).order_by(Operator.id)))


def _act(session: Session, operator: Operator, verb: str, *, actor: str, now: datetime, **facts: str) -> None:
    audit_log.record(session, actor=actor, verb=verb, subject=f"operator:{operator.id}", now=now, **facts)
