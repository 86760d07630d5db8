"""Recovery codes: each replaces the second factor once.

They are long enough that their plain hashes tell nothing.
"""

import hashlib
import secrets
from base64 import b32encode
from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base

CODES = 10
CODE_BYTES, GROUP = 10, 4  # 16 letters and digits, in groups
ALIKE = str.maketrans("018", "OIB")  # not in the alphabet of base32 (RFC 4648), but what people read


class RecoveryCode(Base):
    """A code of an operator, by its hash."""

    __tablename__ = "recovery_codes"

    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)


def renew(session: Session, operator_id: int) -> list[str]:
    """Replace all codes of an operator; return the new ones, which nobody can read again."""
    delete_all(session, operator_id)
    codes = [b32encode(secrets.token_bytes(CODE_BYTES)).decode() for _ in range(CODES)]
    session.add_all(RecoveryCode(operator_id=operator_id, code_hash=_hashed(code)) for code in codes)
    session.flush()
    return ["-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP)) for code in codes]


def delete_all(session: Session, operator_id: int) -> None:
    """Delete all codes of an operator."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.operator_id == operator_id))


def take(session: Session, operator_id: int, code: str, *, now: datetime) -> bool:
    """Whether this is an unused code of the operator; from now on it is used."""
    same = RecoveryCode.operator_id == operator_id, RecoveryCode.code_hash == _hashed(code)
    unused = update(RecoveryCode).where(*same, RecoveryCode.used_at.is_(None)).values(used_at=now)
    return session.scalar(unused.returning(RecoveryCode.operator_id)) is not None


def left(session: Session, operator_id: int) -> int:
    """Return how many codes an operator has left."""
    unused = RecoveryCode.operator_id == operator_id, RecoveryCode.used_at.is_(None)
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused)) or 0


def _hashed(code: str) -> bytes:
    plain = "".join(filter(str.isalnum, code.upper())).translate(ALIKE)
    return hashlib.sha256(plain.encode()).digest()
