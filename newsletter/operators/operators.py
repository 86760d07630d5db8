"""Operators: the people who may use the desk, and their roles."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses, audit_log
from newsletter.errors import Malformed, NotFound
from newsletter.operators.grants import Grant
from newsletter.operators.roles import Role
from newsletter.store.database import Base, insert_once


class Operator(Base):
    """A person who may use the desk. The audit log names them `operator:ID`, and no id is used twice."""

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    address: Mapped[str] = mapped_column(unique=True)  # `Address.key`, the same for all spellings
    role: Mapped[Role]  # for all newsletters, as the release before reads it; `grants` decides
    created_at: Mapped[datetime]
    name: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    zone: Mapped[str | None] = mapped_column(String(64), default=None)  # IANA; None: the first newsletter's
    password_hash: Mapped[str | None] = mapped_column(default=None)  # argon2id; None: no password was set yet
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)  # encrypted
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(default=None)  # None: no second factor is asked
    totp_last_step: Mapped[int | None] = mapped_column(default=None)  # of the last code that was taken
    mail_off: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), default=None)  # kinds of letters


def add(session: Session, address: str, *, role: Role, actor: str, now: datetime) -> Operator:
    """Add an operator. Raises Malformed for an invalid address or one that has an operator already."""
    key = addresses.parse(address, field="address").key
    if not insert_once(session, Operator, address=key, role=role, created_at=now):
        raise Malformed("address", "This operator exists already. To change the role, use: newsletter operators role")
    operator = of_address(session, key)
    session.add(Grant(operator_id=operator.id, role=role))
    session.flush()
    _record(session, operator, "operator added", actor=actor, now=now, role=role.value)
    return operator


def assign(session: Session, operator: Operator, role: Role, *, actor: str, now: datetime) -> None:
    """Change an operator's role. Nothing happens if they have it already."""
    if operator.role is not role:
        before, operator.role = operator.role, role
        _record(
            session, operator, "operator's role changed", actor=actor, now=now, role=role.value, before=before.value
        )


def remove(session: Session, operator: Operator, *, actor: str, now: datetime) -> None:
    """Delete an operator. The audit log keeps their entries, by id."""
    _record(session, operator, "operator removed", actor=actor, now=now)
    session.delete(operator)
    session.flush()


def of_address(session: Session, address: str) -> Operator:
    """Return the operator with that address, in any spelling, and lock the row. Raises NotFound."""
    key = addresses.parse(address, field="address").key
    if operator := session.scalar(select(Operator).where(Operator.address == key).with_for_update()):
        return operator
    raise NotFound("No operator has that address. To list them, use: newsletter operators list")


def every(session: Session) -> list[Operator]:
    """Return all operators, oldest first."""
    return list(session.scalars(select(Operator).order_by(Operator.id)))


def _record(session: Session, operator: Operator, verb: str, *, actor: str, now: datetime, **fields: str) -> None:
    audit_log.record(
        session, actor=actor, verb=verb, subject=f"operator:{operator.id}", newsletter_id=None, now=now, **fields
    )
