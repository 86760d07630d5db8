"""Identities: accounts at an OpenID provider with which an operator signs in."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log
from newsletter.errors import NotFound, Refused
from newsletter.operators import operator_links
from newsletter.operators.openid.accounts import MAX_SUBJECT, ProvidedAccount
from newsletter.operators.operator_links import LinkPurpose, OperatorLink
from newsletter.operators.operators import Operator
from newsletter.store.database import Base, insert_once

OF_ANOTHER = "This account at the provider belongs to another operator. Nothing was changed."
UNVERIFIED = "The provider does not say that it has verified your address, so the account cannot be linked."
OTHER_ADDRESS = "The account at the provider has another address than yours here. Nothing was changed."
UNKNOWN = (
    "No operator signs in with this account. If you were invited, ask for a new invitation; if you have a password, "
    "sign in with it, and link the account on the page of your own account."
)


class Identity(Base):
    """An account at a provider. Only issuer and subject name it (OpenID Connect Core 1.0 section 5.7)."""

    __tablename__ = "operator_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(MAX_SUBJECT))
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    linked_at: Mapped[datetime]


def of_operator(session: Session, operator_id: int) -> Sequence[Identity]:
    """Return the identities of an operator, oldest first."""
    own = select(Identity).where(Identity.operator_id == operator_id)
    return session.scalars(own.order_by(Identity.id)).all()


def operator_of(session: Session, account: ProvidedAccount, *, now: datetime) -> Operator:
    """Return the operator who signs in with this account, locked.

    An account that is new is linked to the operator of its address if their invitation is open, and uses it up: nobody
    becomes an operator by having an account. Raises Refused.
    """
    if operator := _linked(session, account):
        return operator
    invited = (
        select(Operator)
        .join(OperatorLink, OperatorLink.operator_id == Operator.id)
        .where(Operator.address == account.address, OperatorLink.purpose == LinkPurpose.INVITATION)
        .where(OperatorLink.used_at.is_(None), OperatorLink.expires_at > now)
    )
    found = session.scalar(invited.with_for_update(of=Operator)) if account.address else None
    if found is None:
        raise Refused(UNKNOWN)
    operator_links.close(session, found.id, now=now)
    return _link(session, found, account, now=now)


def link(session: Session, operator: Operator, account: ProvidedAccount, *, now: datetime) -> bool:
    """Link an account to an operator who has signed in; return False if it was linked to them before.

    Raises Refused if it belongs to another operator, or has no verified address that is the operator's own.
    """
    linked = _linked(session, account)
    if linked and linked.id == operator.id:
        return False
    if linked:
        raise Refused(OF_ANOTHER)
    if account.address is None:
        raise Refused(UNVERIFIED)
    if account.address != operator.address:
        of_another = session.scalar(select(Operator.id).where(Operator.address == account.address))
        raise Refused(OF_ANOTHER if of_another else OTHER_ADDRESS)
    _link(session, operator, account, now=now)
    return True


def unlink(session: Session, operator: Operator, identity_id: int, *, now: datetime) -> None:
    """Remove one of an operator's own identities. Raises NotFound, and Refused for the only way in."""
    identity = session.get(Identity, identity_id)
    if identity is None or identity.operator_id != operator.id:
        raise NotFound("This account is not linked any more.")
    if operator.password_hash is None and len(of_operator(session, operator.id)) == 1:
        raise Refused("You have no password, so this account is your only way in. Choose a password first.")
    session.delete(identity)
    session.flush()
    _record(session, operator, "operator's identity removed", now=now)


def _linked(session: Session, account: ProvidedAccount) -> Operator | None:
    own = Identity.issuer == account.issuer, Identity.subject == account.subject
    both = select(Operator).join(Identity, Identity.operator_id == Operator.id).where(*own)
    return session.scalar(both.with_for_update(of=Operator))


def _link(session: Session, operator: Operator, account: ProvidedAccount, *, now: datetime) -> Operator:
    columns = {"issuer": account.issuer, "subject": account.subject, "operator_id": operator.id, "linked_at": now}
    if not insert_once(session, Identity, **columns):  # at the same time, in another process
        raise Refused(OF_ANOTHER)
    _record(session, operator, "operator's identity linked", now=now)
    return operator


def _record(session: Session, operator: Operator, verb: str, *, now: datetime) -> None:
    name = f"operator:{operator.id}"
    audit_log.record(session, actor=name, verb=verb, subject=name, newsletter_id=None, now=now)
