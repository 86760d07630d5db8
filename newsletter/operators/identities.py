"""Identities: accounts at an OpenID provider with which an operator signs in."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class Identity(Base):
    """An account at a provider. Only issuer and subject name it (OpenID Connect Core 1.0 section 5.7)."""

    __tablename__ = "operator_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    linked_at: Mapped[datetime]
