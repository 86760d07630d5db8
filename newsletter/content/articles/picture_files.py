"""Picture files: stored under the hash of their content and served by our own host."""

import hashlib
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.downloading.downloader import PictureDownload
from newsletter.content.parsing.images.shrinking import PictureFile
from newsletter.store.database import Base


class Picture(Base):
    """An image file as readers get it; the same file is stored once, however many articles show it."""

    __tablename__ = "pictures"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the body, in hexadecimal
    type: Mapped[str] = mapped_column(String(32))  # from the file itself, not from the server's Content-Type
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes]
    found_at: Mapped[datetime]
    # Of the same picture made small; None: it is small, or a release before stored it.
    thumbnail_sha256: Mapped[str | None] = mapped_column(String(64), default=None)


def store(session: Session, download: PictureDownload, *, now: datetime) -> str:
    """Store a picture and its thumbnail, unless they are stored already; return the picture's SHA-256."""
    sha256 = _sha256(download.file)
    if session.get(Picture, sha256) is None:
        thumbnail = download.thumbnail
        if thumbnail and session.get(Picture, _sha256(thumbnail)) is None:
            _add(session, thumbnail, now=now)
        _add(session, download.file, thumbnail_sha256=_sha256(thumbnail) if thumbnail else None, now=now)
    return sha256


def _add(session: Session, file: PictureFile, *, thumbnail_sha256: str | None = None, now: datetime) -> None:
    picture = Picture(sha256=_sha256(file), found_at=now, thumbnail_sha256=thumbnail_sha256, **asdict(file))
    try:
        with session.begin_nested():
            session.add(picture)
    except IntegrityError:
        pass  # another worker has stored the same file meanwhile


def _sha256(file: PictureFile) -> str:
    return hashlib.sha256(file.body).hexdigest()
