"""The letters and their variants: each is stored once and merged for every reader."""

from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    and_,
    case,
    type_coerce,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.issues.issues import Issue  # noqa: F401 - the foreign key's table
from newsletter.mail.letters.merge import Sheet
from newsletter.store.database import Base


class LetterKind(StrEnum):
    """The purpose of a letter."""

    CONFIRMATION = "confirmation"
    ISSUE = "issue"
    TEST = "test"
    # A freshly mailed link to the reader's preferences. The release before cannot read this value, so this release
    # reads it and writes such letters as ISSUE without an issue; the next one writes it.
    LINK = "link"


def actual_kind() -> ColumnElement[LetterKind]:
    """Return the kind of a letter, in SQL: a letter to a reader that is about no issue is a link."""
    without_issue = and_(Letter.kind == LetterKind.ISSUE, Letter.issue_id.is_(None))
    return type_coerce(case((without_issue, LetterKind.LINK), else_=Letter.kind), Letter.kind.type)


class Priority(IntEnum):
    """The order of sending: urgent letters never wait for an issue."""

    URGENT = 0
    BULK = 1


class Letter(Base):
    """A letter about one occasion, such as `issue:12` or `signup:7`; the constraint makes a second impossible."""

    __tablename__ = "letters"
    __table_args__ = (Index(None, "issue_id"), Index(None, "signup_id"))

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    kind: Mapped[LetterKind]
    occasion: Mapped[str] = mapped_column(String(64), unique=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issues.id"), default=None)
    signup_id: Mapped[int | None] = mapped_column(ForeignKey("signups.id", ondelete="SET NULL"), default=None)
    priority: Mapped[int] = mapped_column(SmallInteger)
    audience: Mapped[int]  # deliveries it was written for; deliveries and tallies always add up to it
    written_at: Mapped[datetime]


class Variant(Base):
    """A letter in one language and design, stored encoded and cut at its fields, so that a repeat is the same bytes."""

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
        """The laid-out letter that the mail merge fills."""
        return Sheet(body=self.body, cuts=self.cuts)

    def is_intact(self) -> bool:
        """Return whether body and cuts still match the hash."""
        try:
            return self.sheet.sha256 == self.sha256
        except (TypeError, ValueError):  # the cuts are malformed
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
    """Store a letter with its one variant, and return both with their ids."""
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
