"""The letters and their variants: each is stored once and merged for every reader."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cache, cached_property
from typing import Any, NotRequired, TypedDict, Unpack, cast

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    and_,
    case,
    text,
    type_coerce,
)
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from newsletter.consent.subscribers.address_changes import AddressChange  # noqa: F401 - the foreign key's table
from newsletter.content.issues.issues import Issue  # noqa: F401 - the foreign key's table
from newsletter.languages import tags
from newsletter.mail.letters.merge import Sheet
from newsletter.operators.operator_links import OperatorLink  # noqa: F401 - the foreign key's table
from newsletter.store import bulk_rows
from newsletter.store.database import Base, is_on_sqlite


class LetterKind(StrEnum):
    """The purpose of a letter."""

    CONFIRMATION = "confirmation"
    ISSUE = "issue"
    TEST = "test"  # to an operator: a test of a newsletter, or without one a letter of the service itself
    # A freshly mailed link to preferences. The release before wrote such letters as ISSUE without an issue.
    LINK = "link"
    WELCOME = "welcome"  # after a confirmation
    ADDRESS = "address"  # about a change of a reader's address: to the new one a link, to the old one a notice


# How the occasions of kinds begin that the release before cannot read: its metrics and its doctor would fail at the
# first such letter. They are written as LINK and share its total; the next release writes them as what they are.
WRITTEN_AS_LINK = {LetterKind.WELCOME: "welcome:", LetterKind.ADDRESS: "address-"}


def written_kind(kind: LetterKind) -> LetterKind:
    """Return the kind as which a letter of this kind is stored."""
    return LetterKind.LINK if kind in WRITTEN_AS_LINK else kind


def is_kind(kind: LetterKind) -> ColumnElement[bool]:
    """Return, in SQL, whether a letter is of a kind; of a LINK or an ISSUE, ask `actual_kind`."""
    begins = WRITTEN_AS_LINK.get(kind)
    return Letter.occasion.startswith(begins) if begins else Letter.kind == kind


def actual_kind() -> ColumnElement[LetterKind]:
    """Return the kind of a letter, in SQL: a letter to a reader that is about no issue is a link, or tells its kind."""
    without_issue = and_(Letter.kind == LetterKind.ISSUE, Letter.issue_id.is_(None))
    told = [(is_kind(kind), kind) for kind in WRITTEN_AS_LINK]
    return type_coerce(case((without_issue, LetterKind.LINK), *told, else_=Letter.kind), Letter.kind.type)


class Priority(IntEnum):
    """The order of sending: urgent letters never wait for an issue, and none waits for one that is sent soon."""

    URGENT = 0
    BULK = 1
    SOON = 2  # once no urgent letter is due; the release before leaves it in the queue


ONLY_DESIGN = "standard"  # of letters with variants of their own

# Literals, or the partial indexes would not fit.
SIGNUP_IS_GONE = text("signup_id IS NULL AND kind = 'confirmation'")
IS_TEST = text("kind = 'test'")


class Letter(Base):
    """A letter about one occasion, such as `issue:12` or `signup:7`; the constraint makes a second impossible."""

    __tablename__ = "letters"
    __table_args__ = (
        Index(None, "issue_id"),
        Index(None, "signup_id"),
        Index(None, "address_change_id"),
        Index("ix_letters_signup_is_gone", "id", sqlite_where=SIGNUP_IS_GONE, postgresql_where=SIGNUP_IS_GONE),
        Index("ix_letters_test", "written_at", sqlite_where=IS_TEST, postgresql_where=IS_TEST),
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    kind: Mapped[LetterKind]
    occasion: Mapped[str] = mapped_column(String(64), unique=True)
    # None: a letter of the service itself to an operator, which has a sender of its own.
    newsletter_id: Mapped[int | None] = mapped_column(ForeignKey("newsletters.id"))
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issues.id"), default=None)
    signup_id: Mapped[int | None] = mapped_column(ForeignKey("signups.id", ondelete="SET NULL"), default=None)
    sender: Mapped[str | None] = mapped_column(default=None)  # the address in From, of a letter without newsletter
    operator_link_id: Mapped[int | None] = mapped_column(
        ForeignKey("operator_links.id", ondelete="SET NULL"), default=None
    )
    included_issue_id: Mapped[int | None] = mapped_column(ForeignKey("issues.id"), default=None)  # in a welcome letter
    address_change_id: Mapped[int | None] = mapped_column(
        ForeignKey("address_changes.id", ondelete="SET NULL"), default=None
    )
    priority: Mapped[int] = mapped_column(SmallInteger)
    audience: Mapped[int]  # deliveries it was written for; deliveries and tallies always add up to it
    written_at: Mapped[datetime]


class Variant(Base):
    """A letter in one language and design, stored encoded and cut at its fields, so that a repeat is the same bytes."""

    __tablename__ = "variants"
    __table_args__ = (UniqueConstraint("letter_id", "language", "design"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"))
    language: Mapped[str] = mapped_column(String(tags.MAX_CHARACTERS))
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


class LetterColumns(TypedDict):
    """The columns of a letter that a mailing chooses. One without newsletter, the service's own, needs a `sender`."""

    occasion: str
    newsletter_id: int | None
    priority: Priority
    issue_id: NotRequired[int | None]
    signup_id: NotRequired[int | None]
    sender: NotRequired[str | None]
    operator_link_id: NotRequired[int | None]
    included_issue_id: NotRequired[int | None]
    address_change_id: NotRequired[int | None]


def write(
    session: Session,
    *,
    kind: LetterKind,
    sheet: Sheet,
    language: str,
    now: datetime,
    audience: int = 1,
    **columns: Unpack[LetterColumns],
) -> tuple[Letter, Variant]:
    """Store a letter with a variant, and return both with their ids; `add_variant` adds one of another language."""
    letter = write_without_text(session, kind=kind, now=now, audience=audience, **columns)
    return letter, add_variant(session, letter, sheet, language=language)


def write_without_text(
    session: Session, *, kind: LetterKind, now: datetime, audience: int = 1, **columns: Unpack[LetterColumns]
) -> Letter:
    """Store a letter whose text is a shared variant, and return it with its id."""
    letter = Letter(kind=written_kind(kind), audience=audience, written_at=now, **columns)
    session.add(letter)
    session.flush()
    return letter


def add_variant(session: Session, letter: Letter, sheet: Sheet, *, language: str) -> Variant:
    """Store a variant of a letter, and return it with its id. Each language has one."""
    variant = Variant(
        letter_id=letter.id,
        language=language,
        design=ONLY_DESIGN,
        sha256=sheet.sha256,
        body=sheet.body,
        cuts=[list(cut) for cut in sheet.cuts],
    )
    session.add(variant)
    session.flush()
    return variant


def write_confirmations(session: Session, signups: Sequence[tuple[int, int]], *, now: datetime) -> dict[int, int]:
    """Store the letters of these sign-ups (sign-up, newsletter) in one statement; return their ids by sign-up.

    Their texts are shared variants.
    """
    rows = [
        {
            "kind": LetterKind.CONFIRMATION,
            "occasion": f"signup:{signup}",
            "newsletter_id": newsletter,
            "signup_id": signup,
            "priority": Priority.URGENT,
            "audience": 1,
            "written_at": now,
        }
        for signup, newsletter in signups
    ]
    statement = _insert_letters(on_sqlite=is_on_sqlite(session))
    inserted = session.execute(statement, {bulk_rows.INSERTED: bulk_rows.encode(rows)})
    return {signup: number for number, signup in inserted}


@cache
def _insert_letters(*, on_sqlite: bool) -> ReturningInsert[int, int]:
    table = cast("Table", Letter.__table__)
    columns = ("kind", "occasion", "newsletter_id", "signup_id", "priority", "audience", "written_at")
    statement = bulk_rows.insert(table, *columns, on_sqlite=on_sqlite)
    return statement.returning(table.c.id, table.c.signup_id)
