"""Exhibits: forms, pages and letter templates as people saw them, stored once under the hash of their content."""

import hashlib

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base, insert_once


class Exhibit(Base):
    """A form, a confirm page or a letter's template as it was shown. Never changed, never deleted."""

    __tablename__ = "exhibits"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    body: Mapped[bytes]


def sha256(body: bytes) -> str:
    """Return the SHA-256 in hexadecimal: the name of this content, here and in every export."""
    return hashlib.sha256(body).hexdigest()


def keep(session: Session, kind: str, body: bytes) -> str:
    """Store the content if it is new, and return its name. Storing the same content again changes nothing."""
    name = sha256(body)
    if session.scalar(select(Exhibit.sha256).where(Exhibit.sha256 == name)) is None:
        insert_once(session, Exhibit, sha256=name, kind=kind, body=body)
    return name
