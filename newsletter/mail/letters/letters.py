"""Letters: an occasion to write, with the variants that are stored once and merged for each reader."""

from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.issues import Issue  # noqa: F401 - the foreign key's table
from newsletter.mail.letters.merge import Sheet
from newsletter.store.database import Base


class LetterKind(StrEnum):
    """What a letter is written for."""

    CONFIRMATION = "confirmation"
    ISSUE = "issue"
    TEST = "test"


class Priority(IntEnum):
    """Urgent letters never wait behind an issue."""

    URGENT = 0
    BULK = 1


class Letter(Base):
    """An occasion, once: `issue:12` or `signup:7` cannot be written twice."""

    __tablename__ = "letters"
    __table_args__ = (Index(None, "issue_id"), Index(None, "signup_id"))

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    kind: Mapped[LetterKind]
    occasion: Mapped[str] = mapped_column(String(64), unique=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issues.id"), default=None)
    signup_id: Mapped[int | None] = mapped_column(ForeignKey("signups.id", ondelete="SET NULL"), default=None)
    priority: Mapped[int] = mapped_column(SmallInteger)
    audience: Mapped[int]  # how many deliveries it was written for, counted once; they add up to it for ever
    written_at: Mapped[datetime]


class Variant(Base):
    """A letter in one language and design, encoded and cut at its readers' fields: a repeat is the same bytes."""

    __tablename__ = "variants"
    __table_args__ = (UniqueConstraint("letter_id", "language", "design"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"))
    language: Mapped[str] = mapped_column(String(35))
    design: Mapped[str] = mapped_column(String(24))
    sha256: Mapped[str] = mapped_column(String(64))
    body: Mapped[bytes]
    cuts: Mapped[list[Any]]

    @cached_property
    def sheet(self) -> Sheet:
        """What the mail merge fills."""
        return Sheet(body=self.body, cuts=self.cuts)

    def is_intact(self) -> bool:
        """Whether it is what was stored."""
        try:
            return self.sheet.sha256 == self.sha256
        except (TypeError, ValueError):  # its cuts are none any more
            return False


def write(
    session: Session,
    *,
    kind: LetterKind,
    occasion: str,
    newsletter_id: int,
    sheet: Sheet,
    language: str,
    priority: Priority,
    now: datetime,
    audience: int = 1,
    design: str = "standard",
    issue_id: int | None = None,
    signup_id: int | None = None,
) -> tuple[Letter, Variant]:
    """Store a letter with its one variant."""
    letter = Letter(
        kind=kind,
        occasion=occasion,
        newsletter_id=newsletter_id,
        issue_id=issue_id,
        signup_id=signup_id,
        priority=priority,
        audience=audience,
        written_at=now,
    )
    session.add(letter)
    session.flush()
    variant = Variant(
        letter_id=letter.id,
        language=language,
        design=design,
        sha256=sheet.sha256,
        body=sheet.body,
        cuts=[list(cut) for cut in sheet.cuts],
    )
    session.add(variant)
    session.flush()
    return letter, variant
