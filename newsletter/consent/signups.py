"""Sign-ups: one posted form is one inserted row; a worker does the rest.

So the answer is the same in status, body and time for everybody, whatever is known about the address.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, delete, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.addresses import Address
from newsletter.store.database import Base, insert_once

VALID = timedelta(hours=72)  # how long the confirmation link works, and an unconfirmed address is kept

RECEIVED = text("state = 'received'")  # word for word: a prepared statement's parameter would not fit the partial index
AT_ONCE = text("'1970-01-01 00:00:00'")


class SignupState(StrEnum):
    """How far a sign-up has come."""

    RECEIVED = "received"
    ASKED = "asked"  # a confirmation letter is owed or sent
    QUIET = "quiet"  # nothing to ask: subscribed already, asked today already, or not to be written to
    CONFIRMED = "confirmed"
    REFUSED = "refused"  # "never mail this address"
    FAILED = "failed"  # could not be worked on; the log says why


class Signup(Base):
    """One posted form."""

    __tablename__ = "signups"
    __table_args__ = (
        Index("ix_signups_received", "id", sqlite_where=RECEIVED, postgresql_where=RECEIVED),
        {"info": {"personal": {"by": "address_key", "on_erasure": "delete", "export": True}}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    address: Mapped[str]
    address_key: Mapped[str] = mapped_column(index=True)
    fold_key: Mapped[str] = mapped_column(String(64))
    newsletters: Mapped[list[Any]]  # their ids
    wording_id: Mapped[int] = mapped_column(ForeignKey("wordings.id"))
    form: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    evidence: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    # When retention looks at it next. A release without the column leaves it to the database: it is looked at at once.
    forget_at: Mapped[datetime] = mapped_column(index=True, server_default=AT_ONCE)
    state: Mapped[SignupState] = mapped_column(default=SignupState.RECEIVED)
    nonce: Mapped[int]  # 63 random bits: a link to a row of a lost database does not fit the row that takes its number


class SignupLetter(Base):
    """The right to one confirmation letter to an inbox about a newsletter on a day (UTC); the key makes it one."""

    __tablename__ = "signup_letters"

    fold_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)


def receive(
    session: Session,
    *,
    address: Address,
    fold_key: str,
    newsletters: Sequence[int],
    wording_id: int,
    form: str,
    evidence: Mapping[str, str],
    now: datetime,
) -> None:
    """Remember that somebody typed this address: exactly one INSERT, whoever it is."""
    row = insert(Signup).values(
        address=address.written,
        address_key=address.key,
        fold_key=fold_key,
        newsletters=list(newsletters),
        wording_id=wording_id,
        form=form,
        evidence=dict(evidence),
        received_at=now,
        forget_at=now + VALID,
        state=SignupState.RECEIVED,
        nonce=secrets.randbits(63),
    )
    session.execute(row)


def next_received(session: Session, *, now: datetime) -> Signup | None:
    """The oldest sign-up that nobody works on, locked for this transaction.

    One that waited for 72 hours is left to retention: a letter whose link has expired would help nobody.
    """
    waiting = select(Signup).where(RECEIVED, Signup.received_at <= now, Signup.received_at > now - VALID)
    return session.scalar(waiting.order_by(Signup.id).limit(1).with_for_update(skip_locked=True))


def may_ask(session: Session, signup: Signup, newsletter_id: int) -> bool:
    """Take the day's one letter to this inbox about this newsletter; False if it was taken before."""
    ticket = {"fold_key": signup.fold_key, "newsletter_id": newsletter_id, "day": signup.received_at.date()}
    return insert_once(session, SignupLetter, **ticket)


def give_back(session: Session, numbers: Sequence[int]) -> None:
    """Give back the day's letter of sign-ups whose confirmation never left: they may be asked once more."""
    for signup in session.scalars(select(Signup).where(Signup.id.in_(numbers))):
        taken = SignupLetter.fold_key == signup.fold_key, SignupLetter.day == signup.received_at.date()
        session.execute(delete(SignupLetter).where(*taken, SignupLetter.newsletter_id.in_(signup.newsletters)))


def expired(signup: Signup, *, now: datetime) -> bool:
    """Whether its confirmation link has stopped working."""
    return now >= signup.received_at + VALID
