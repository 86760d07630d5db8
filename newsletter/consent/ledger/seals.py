"""Seals: the tables for periodic Merkle roots (RFC 6962 section 2.1) over the ledger's new entries."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.keys import MAX_ID_CHARACTERS
from newsletter.store.database import Base


class Seal(Base):
    """One Merkle root, with a MAC under a key that is stored outside the database."""

    __tablename__ = "seals"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("seals.id"), unique=True)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    size: Mapped[int]
    key_id: Mapped[str] = mapped_column(String(MAX_ID_CHARACTERS))
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed_at: Mapped[datetime]


class Leaf(Base):
    """An entry's position in a seal. The next seal takes every entry without one, however late it was committed."""

    __tablename__ = "leaves"

    seal_id: Mapped[int] = mapped_column(ForeignKey("seals.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("ledger.id"), unique=True)
    leaf: Mapped[bytes] = mapped_column(LargeBinary(32))
