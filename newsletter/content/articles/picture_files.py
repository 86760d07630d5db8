"""Picture files: stored under the hash of their content and served by our own host."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base


class Picture(Base):
    """An image file, unchanged; the same file is stored once, however many articles show it."""

    __tablename__ = "pictures"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the body, in hexadecimal
    type: Mapped[str] = mapped_column(String(32))  # from the file itself, not from the server's Content-Type
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes]
    found_at: Mapped[datetime]
    thumbnail_sha256: Mapped[str | None] = mapped_column(
        String(64), default=None
    )  # the same, smaller; None: it is small


def store(session: Session, picture: Picture) -> None:
    """Store the file unless it is stored already."""
    if session.get(Picture, picture.sha256) is None:
        try:
            with session.begin_nested():
                session.add(picture)
        except IntegrityError:
            pass  # another worker has stored the same file meanwhile
