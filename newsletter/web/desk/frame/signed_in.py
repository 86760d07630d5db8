"""Who sent a request: the operator whose session its cookie names, with the grants that hold at this moment."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from newsletter.newsletters import Newsletter
from newsletter.operators import sessions
from newsletter.operators.grants import Grant, Grants
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.operators.sessions import OperatorSession, SessionStage
from newsletter.web.site import Site


@dataclass(frozen=True)
class SignedIn:
    """An operator who has signed in completely."""

    operator_id: int
    name: str  # the address if they have told none
    address: str
    zone: str
    grants: Grants
    session_id: int
    seen_at: datetime  # when the session was used last, as the database knows it
    publisher: str | None  # of all newsletters; None if they have several or there is none

    @property
    def actor(self) -> str:
        """The operator as the audit log names them."""
        return f"operator:{self.operator_id}"

    def is_use_due(self, *, now: datetime) -> bool:
        """Whether this use of the session is to be recorded."""
        return now >= self.seen_at + sessions.SEEN_EVERY

    def may(self, role: Role, newsletter_id: int | None = None) -> bool:
        """Whether they have the role for a newsletter; without one, for the whole service."""
        return self.grants.may(role, newsletter_id)


def found(session: Session, token: str) -> tuple[OperatorSession, Operator] | None:
    """Return the session of a cookie's token and its operator, whether the session is still open or not."""
    if not token:
        return None
    row = session.execute(_of_token(token)).one_or_none()
    return (row[0], row[1]) if row else None


def signed_in(session: Session, site: Site, token: str) -> SignedIn | None:
    """Return who has signed in with this token; None if nobody has, or the session is over or lacks a factor.

    Every request of the desk asks this first, so one statement reads all of it.
    """
    if not token:
        return None
    with_grants = _of_token(token).outerjoin(Grant, Grant.operator_id == Operator.id)
    rows = session.execute(with_grants.add_columns(Grant.newsletter_id, Grant.role, _USUAL_ZONE, _PUBLISHER)).all()
    if not rows or rows[0][0].stage is not SessionStage.FULL or not rows[0][0].is_open(now=site.now()):
        return None
    current, operator, _, _, usual_zone, publisher = rows[0]
    return SignedIn(
        operator_id=operator.id,
        name=operator.name or operator.address,
        address=operator.address,
        zone=operator.zone or usual_zone or "UTC",
        grants=Grants.of((number, role) for _, _, number, role, _, _ in rows if role is not None),
        session_id=current.id,
        seen_at=current.seen_at,
        publisher=publisher,
    )


# The time zone of an operator who has chosen none: the oldest newsletter's.
_USUAL_ZONE = select(Newsletter.zone).order_by(Newsletter.id).limit(1).scalar_subquery()
_PUBLISHER = (
    select(func.min(Newsletter.publisher))
    .having(func.min(Newsletter.publisher) == func.max(Newsletter.publisher))
    .scalar_subquery()
)


def _of_token(token: str) -> Select[OperatorSession, Operator]:
    both = select(OperatorSession, Operator).join(Operator, Operator.id == OperatorSession.operator_id)
    return both.where(OperatorSession.token_hash == sessions.hashed(token))
