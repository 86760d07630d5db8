"""Pictures: copies of the articles' lead pictures, kept under the hash of their content and shown from our own host.

A letter never points at a stranger's server, which would see who reads it and when.
"""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database import Base


class Picture(Base):
    """An image file as it was found; the same file is kept once, however many articles show it."""

    __tablename__ = "pictures"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the body, in hexadecimal
    type: Mapped[str] = mapped_column(String(32))  # what the file is, whatever the server called it
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes]
    found_at: Mapped[datetime]
