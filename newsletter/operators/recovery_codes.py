"""Recovery codes: each replaces the second factor once."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class RecoveryCode(Base):
    """A code of an operator, by its hash."""

    __tablename__ = "recovery_codes"

    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)
