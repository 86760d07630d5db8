"""Solutions of the proof of work that were used, so that none counts twice.

Callers hold the lock of `pressure.room`, so no other transaction reads or writes the same rows meanwhile.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import String, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.consent.limits.proof_of_work import Proof
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.store.database import Base


class UsedSolution(Base):
    """A solution that a sign-up has used."""

    __tablename__ = "used_solutions"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    # When no sign-up exists any more that was posted in time with it: LINK_LIFETIME after its challenge has expired.
    expires_at: Mapped[datetime] = mapped_column(index=True)


def used(session: Session, proofs: Collection[Proof]) -> set[str]:
    """Return the keys of those of these proofs that were used before."""
    if not proofs:
        return set()
    return set(session.scalars(select(UsedSolution.key).where(UsedSolution.key.in_({proof.key for proof in proofs}))))


def lately_used(session: Session, *, now: datetime) -> int:
    """Return how many solutions were used whose challenges are still valid: those of about an hour."""
    return session.scalar(select(func.count()).where(UsedSolution.expires_at > now + LINK_LIFETIME)) or 0


def use(session: Session, proofs: Collection[Proof]) -> None:
    """Note that these proofs, each given once and not used before, count no more."""
    if proofs:
        rows = [{"key": proof.key, "expires_at": proof.expires_at + LINK_LIFETIME} for proof in proofs]
        session.execute(insert(UsedSolution), rows)
