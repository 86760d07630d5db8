"""Why readers left, if they told it. A reason names nobody, and is deleted after a year."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ForeignKey, String, exists, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.errors import Malformed
from newsletter.keys import Keyring, to_base64url
from newsletter.languages.translatable import translatable
from newsletter.plain_text import UNSHOWN
from newsletter.store.database import Base, insert_once

LIFETIME = timedelta(days=365)
COUNTED = timedelta(days=90)
MAX_COMMENT_CHARACTERS = 500
MAX_COMMENTS = 200  # of one summary
PURPOSE = "leaving reason"  # of the MAC


class ReasonToLeave(StrEnum):
    """What a reader can choose."""

    TOO_MANY = "too many"  # letters
    NOT_EXPECTED = "not expected"
    NEVER_SIGNED_UP = "never signed up"
    OTHER = "other"


class LeavingReason(Base):
    """A reason for one withdrawal."""

    __tablename__ = "leaving_reasons"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)  # MAC of the withdrawal: one reason for each
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), index=True)
    reason: Mapped[str] = mapped_column(String(24))
    comment: Mapped[str | None] = mapped_column(String(MAX_COMMENT_CHARACTERS), default=None)
    # The day in UTC, at midnight: the exact time would lead to the withdrawal in the ledger, and so to the person.
    given_at: Mapped[datetime] = mapped_column(index=True)


class Withdrawal(NamedTuple):
    """The end of one subscription, as the reader's links name it."""

    subject: bytes
    newsletter_id: int
    since: datetime


class ReasonSummary(NamedTuple):
    """The reasons of the last 90 days, and the comments of the last year, the newest first."""

    counts: Mapping[ReasonToLeave, int]
    comments: Sequence[tuple[datetime, ReasonToLeave, str]]


def checked(reason: str, comment: str) -> tuple[ReasonToLeave, str | None]:
    """Return a reason as it is stored; a comment alone is another reason.

    Raises Malformed, naming the field, without either, and for a comment over 500 characters.
    """
    said = " ".join(UNSHOWN.sub(" ", comment).split())
    if len(said) > MAX_COMMENT_CHARACTERS:
        raise Malformed(
            "comment",
            translatable("Please write at most %(limit)s characters; these are %(count)s.",
                         limit=MAX_COMMENT_CHARACTERS, count=len(said)),
        )  # fmt: skip
    if reason in list(ReasonToLeave):
        return ReasonToLeave(reason), said or None
    if not said:
        raise Malformed("reason", translatable("Choose a reason, or write one."))
    return ReasonToLeave.OTHER, said


def give(
    session: Session,
    keyring: Keyring,
    withdrawal: Withdrawal,
    reason: ReasonToLeave,
    comment: str | None,
    *,
    now: datetime,
) -> bool:
    """Store the reason for a withdrawal; return False, and store nothing, if one was given before."""
    if is_given(session, keyring, withdrawal):
        return False
    return insert_once(
        session,
        LeavingReason,
        key=_key(keyring, withdrawal, keyring.newest),
        newsletter_id=withdrawal.newsletter_id,
        reason=reason.value,
        comment=comment,
        given_at=now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
    )


def is_given(session: Session, keyring: Keyring, withdrawal: Withdrawal) -> bool:
    """Return whether a reason for this withdrawal is stored, under whichever key of the keyring."""
    keys = [_key(keyring, withdrawal, key) for key in keyring]
    return bool(session.scalar(select(exists().where(LeavingReason.key.in_(keys)))))


def summary(session: Session, newsletter_id: int, *, now: datetime) -> ReasonSummary:
    """Return the reasons for which a newsletter's readers left, zeros included."""
    mine = LeavingReason.newsletter_id == newsletter_id
    counted = select(LeavingReason.reason, func.count()).where(mine, LeavingReason.given_at > now - COUNTED)
    counts = dict(session.execute(counted.group_by(LeavingReason.reason)).all())
    said = select(LeavingReason).where(
        mine, LeavingReason.comment.is_not(None), LeavingReason.given_at > now - LIFETIME
    )
    # Within a day in the order of the keys, which is no order at all.
    rows = session.scalars(said.order_by(LeavingReason.given_at.desc(), LeavingReason.key).limit(MAX_COMMENTS))
    return ReasonSummary(
        {reason: counts.get(reason.value, 0) for reason in ReasonToLeave},
        [(row.given_at, ReasonToLeave(row.reason), row.comment or "") for row in rows],
    )


def _key(keyring: Keyring, withdrawal: Withdrawal, key: str) -> str:
    microseconds = round(withdrawal.since.timestamp() * 1_000_000)
    message = withdrawal.subject + f"{withdrawal.newsletter_id} {microseconds}".encode()
    return f"{key}:{to_base64url(keyring.mac(PURPOSE, message, key=key))}"
