"""Operators: the people who may use the desk, and their roles."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses, audit_log
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators import sessions
from newsletter.operators.grants import Grant
from newsletter.operators.roles import Role
from newsletter.store.database import Base, insert_once

MAX_NAME = 200  # characters
LAST_ADMIN = (
    "This is the last administrator of all newsletters. Make somebody else administrator of all newsletters first."
)


class Operator(Base):
    """A person who may use the desk. The audit log names them `operator:ID`, and no id is used twice."""

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    address: Mapped[str] = mapped_column(unique=True)  # `Address.key`, the same for all spellings
    role: Mapped[Role]  # the highest of any grant, for the release before; `grants` decides
    created_at: Mapped[datetime]
    name: Mapped[str] = mapped_column(String(MAX_NAME), default="", server_default=text("''"))
    zone: Mapped[str | None] = mapped_column(String(64), default=None)  # IANA; None: the first newsletter's
    password_hash: Mapped[str | None] = mapped_column(default=None)  # argon2id; None: no password was set yet
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)  # encrypted
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(default=None)  # None: no second factor is asked
    totp_last_step: Mapped[int | None] = mapped_column(default=None)  # of the last code that was taken
    mail_off: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), default=None)  # kinds of letters


def add(
    session: Session,
    address: str,
    *,
    role: Role,
    actor: str,
    now: datetime,
    newsletters: Collection[Newsletter] | None = None,
) -> Operator:
    """Add an operator with a role for these newsletters, by default for all.

    Raises Malformed for an invalid address, for one that has an operator already, and without any newsletter.
    """
    if newsletters is not None and not newsletters:
        raise Malformed("newsletters", "Choose at least one newsletter, or all of them.")
    key = addresses.parse(address, field="address").key
    if not insert_once(session, Operator, address=key, role=role, created_at=now):
        raise Malformed("address", "This address belongs to an operator already.")
    operator = of_address(session, key)
    numbers = [None] if newsletters is None else sorted({each.id for each in newsletters})
    session.add_all(Grant(operator_id=operator.id, newsletter_id=number, role=role) for number in numbers)
    session.flush()
    which = {} if newsletters is None else {"newsletters": sorted(each.slug for each in newsletters)}
    _record(session, operator, "operator added", actor=actor, now=now, role=role.value, **which)
    return operator


def grant(
    session: Session, operator: Operator, role: Role, *, newsletter: Newsletter | None, actor: str, now: datetime
) -> None:
    """Give an operator a role for a newsletter, or without one for all; it replaces the role that they had there.

    Nothing happens if they have it already. Raises Refused if no administrator of all newsletters would be left.
    """
    held = _granted(session, operator, newsletter)
    if held and held.role is role:
        return
    facts = {"role": role.value, **({"newsletter": newsletter.slug} if newsletter else {})}
    if held:
        if held.newsletter_id is None and held.role is Role.ADMIN:
            _keep_an_admin(session, operator)
        facts["before"], held.role = held.role.value, role
    else:
        session.add(Grant(operator_id=operator.id, newsletter_id=newsletter.id if newsletter else None, role=role))
    _record_role(session, operator, actor=actor, now=now, **facts)


def revoke(session: Session, operator: Operator, *, newsletter: Newsletter | None, actor: str, now: datetime) -> None:
    """Take an operator's role for a newsletter, or without one the role for all. Repeating it changes nothing.

    Raises Refused if no administrator of all newsletters would be left.
    """
    held = _granted(session, operator, newsletter)
    if held is None:
        return
    if held.newsletter_id is None and held.role is Role.ADMIN:
        _keep_an_admin(session, operator)
    facts = {"before": held.role.value, **({"newsletter": newsletter.slug} if newsletter else {})}
    session.delete(held)
    _record_role(session, operator, actor=actor, now=now, **facts)


def remove(session: Session, operator: Operator, *, actor: str, now: datetime) -> None:
    """Delete an operator with their grants and sessions. The audit log keeps their entries, by id.

    Raises Refused for the last administrator of all newsletters.
    """
    _keep_an_admin(session, operator)
    _record(session, operator, "operator removed", actor=actor, now=now)
    session.delete(operator)
    session.flush()


def set_password(session: Session, operator: Operator, password_hash: str, *, actor: str, now: datetime) -> None:
    """Replace an operator's password. Who calls it ends the sessions that must not outlive the old one."""
    operator.password_hash = password_hash
    session.flush()
    _record(session, operator, "operator's password changed", actor=actor, now=now)


def end_sessions(
    session: Session, operator: Operator, *, besides: int | None = None, actor: str, now: datetime
) -> None:
    """End the sessions of an operator, all or all besides one."""
    if sessions.end(session, operator.id, besides=besides, now=now):
        _record(session, operator, "operator's sessions ended", actor=actor, now=now)


def checked_name(name: str) -> str:
    """Return a name as it is stored; raises Malformed. An empty name is allowed: the address takes its place."""
    name = " ".join(name.split())
    if len(name) > MAX_NAME or not name.isprintable():
        raise Malformed("name", f"Enter a name on one line, of at most {MAX_NAME} characters.")
    return name


def of_address(session: Session, address: str) -> Operator:
    """Return the operator with that address, in any spelling, and lock the row. Raises NotFound."""
    key = addresses.parse(address, field="address").key
    if operator := session.scalar(select(Operator).where(Operator.address == key).with_for_update()):
        return operator
    raise NotFound("No operator has that address. To list them, use: newsletter operators list")


def numbered(session: Session, operator_id: int, *, for_change: bool = False) -> Operator:
    """Return the operator with that id, locked if it is to be changed. Raises NotFound."""
    if operator := session.get(Operator, operator_id, with_for_update=for_change or None):
        return operator
    raise NotFound("There is no such operator; perhaps they were removed.")


def every(session: Session) -> list[Operator]:
    """Return all operators, oldest first."""
    return list(session.scalars(select(Operator).order_by(Operator.id)))


def _granted(session: Session, operator: Operator, newsletter: Newsletter | None) -> Grant | None:
    """Return the operator's grant for a newsletter, or for all; the operator's row keeps a second change waiting."""
    session.execute(select(Operator.id).where(Operator.id == operator.id).with_for_update())
    number = newsletter.id if newsletter else None
    own = select(Grant).where(Grant.operator_id == operator.id, Grant.newsletter_id.is_not_distinct_from(number))
    return session.scalar(own.execution_options(populate_existing=True))


def _keep_an_admin(session: Session, leaving: Operator) -> None:
    """Raise Refused if nobody but `leaving` administers all newsletters.

    The grants of all administrators are locked, in one order: of the last two, who leave at the same time, one stays.
    """
    admins = select(Grant.operator_id).where(Grant.newsletter_id.is_(None), Grant.role == Role.ADMIN)
    held = set(session.scalars(admins.order_by(Grant.id).with_for_update()))
    if held == {leaving.id}:
        raise Refused(LAST_ADMIN)


def _record_role(session: Session, operator: Operator, *, actor: str, now: datetime, **facts: str) -> None:
    session.flush()
    roles = session.scalars(select(Grant.role).where(Grant.operator_id == operator.id)).all()
    operator.role = next((role for role in reversed(Role) if role in roles), Role.VIEWER)
    _record(session, operator, "operator's role changed", actor=actor, now=now, **facts)


def _record(session: Session, operator: Operator, verb: str, *, actor: str, now: datetime, **fields: Any) -> None:
    audit_log.record(
        session, actor=actor, verb=verb, subject=f"operator:{operator.id}", newsletter_id=None, now=now, **fields
    )
