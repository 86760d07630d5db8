"""Sign-ups: the site inserts one row for a posted form, and a worker processes it later.

So the site's answer has the same status, body and timing for everybody, whatever is known about the address.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Date, ForeignKey, Index, String, func, insert, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.addresses import Address
from newsletter.consent.evidence_terms import Stored
from newsletter.consent.limits.proof_of_work import MAX_SOLUTION_CHARACTERS
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.languages import tags
from newsletter.store.database import Base

MAX_REPLACES_CHARACTERS = 400
SLOW_LANE_LIFETIME = timedelta(hours=24)  # after its receipt, a sign-up that still waits in the slow lane lapses

RECEIVED = text("state = 'received'")  # a literal: with a bound parameter the planner could not use the partial index
ASKED = text("state = 'asked'")
IS_SLOW = text("slow_lane_at IS NOT NULL")
EPOCH = text("'1970-01-01 00:00:00'")


class SignupState(StrEnum):
    """The state of a sign-up."""

    RECEIVED = "received"
    ASKED = "asked"  # a confirmation letter is queued or sent
    QUIET = "quiet"  # no letter is owed, or it waits in the slow lane
    CONFIRMED = "confirmed"
    REFUSED = "refused"  # "never mail this address"; or void, if `replaced_at` says when another one replaced it
    FAILED = "failed"  # could not be processed; the log says why


class Signup(Base):
    """One posted form."""

    __tablename__ = "signups"
    __table_args__ = (
        # The release before claims by the first index; drop it one release later.
        Index("ix_signups_received", "id", sqlite_where=RECEIVED, postgresql_where=RECEIVED),
        # Much may be posted for one address, but few letters are owed to it.
        Index("ix_signups_asked", "address_key", sqlite_where=ASKED, postgresql_where=ASKED),
        Index("ix_signups_received_by_network", "network_key", "id", sqlite_where=RECEIVED, postgresql_where=RECEIVED),
        Index(
            "ix_signups_slow_lane", "network_key", "slow_lane_at", "id", sqlite_where=IS_SLOW, postgresql_where=IS_SLOW
        ),
        {"info": {"personal": {"by": "address_key", "on_erasure": "delete", "export": True}}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    address: Mapped[str]
    address_key: Mapped[str] = mapped_column(index=True)
    fold_key: Mapped[str] = mapped_column(String(64))  # MAC of the address without case and +tag: one inbox
    newsletters: Mapped[list[Any]]  # their ids
    wording_id: Mapped[int] = mapped_column(ForeignKey("wordings.id"))
    form: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    evidence: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    # When retention examines the row next. A release that does not know the column leaves it to the database's default,
    # so retention examines such a row at once.
    forget_at: Mapped[datetime] = mapped_column(index=True, server_default=EPOCH)
    state: Mapped[SignupState] = mapped_column(default=SignupState.RECEIVED)
    # MAC of the client's network (IPv4 /24, IPv6 /48); "" if it is unknown, private, or stored by the release before.
    network_key: Mapped[str] = mapped_column(String(80), server_default=text("''"), default="")
    asked_at: Mapped[datetime | None] = mapped_column(default=None)  # when its letter was owed; None: when received
    # When the slow lane last looked at it; None: it does not wait there. Its state is `quiet` meanwhile, because the
    # release before would answer a received one at once.
    slow_lane_at: Mapped[datetime | None] = mapped_column(default=None)
    lifts_suppression: Mapped[bool | None] = mapped_column(default=None)  # an operator allowed its letter
    form_id: Mapped[int | None] = mapped_column(default=None)  # in `forms`; None: the release before stored the row
    # BCP 47, of the person's letters and pages; None: that of the wording.
    language: Mapped[str | None] = mapped_column(String(tags.MAX_CHARACTERS), default=None)
    # The sign-up that this one corrects or repeats, as `replacements` writes it; the worker voids that one.
    replaces: Mapped[str | None] = mapped_column(String(MAX_REPLACES_CHARACTERS), default=None)
    # When another sign-up replaced this one. Its state is `refused` then, because the release before knows none that
    # would say it better; that one withholds the letter, confirms nothing and deletes the row at the right time.
    replaced_at: Mapped[datetime | None] = mapped_column(default=None)
    # Why the form may have been filled in by a program, as `form_signs` judges; None: nothing speaks for it.
    doubt: Mapped[str | None] = mapped_column(String(24), default=None)
    # Of a proof of work; the worker checks it.
    solution: Mapped[str | None] = mapped_column(String(MAX_SOLUTION_CHARACTERS), default=None)
    # 63 random bits. After a database is lost, an old link does not match the new row that gets the same id.
    nonce: Mapped[int]


def letter_owed_at() -> ColumnElement[datetime]:
    """Return, as a column, when a sign-up's letter was owed: the lifetime of its link begins then."""
    return func.coalesce(Signup.asked_at, Signup.received_at)


class SignupLetter(Base):
    """A reservation of the release before: one confirmation letter per inbox, newsletter and UTC day.

    This release limits letters by tickets, and only deletes the rows. Drop the table one release later.
    """

    __tablename__ = "signup_letters"

    fold_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)


# The columns of `values`.
FORM_COLUMNS = (
    *("address", "address_key", "fold_key", "newsletters", "wording_id", "form", "evidence"),
    *("received_at", "forget_at", "state", "network_key", "form_id", "language", "nonce"),
    *("replaces", "doubt", "solution"),
)


def values(
    *,
    address: Address,
    fold_key: str,
    newsletters: Sequence[int],
    wording_id: int,
    form: str,
    evidence: Stored,
    now: datetime,
    network_key: str = "",
    form_id: int | None = None,
    language: str | None = None,
    replaces: str | None = None,
    doubt: str | None = None,
    solution: str | None = None,
) -> dict[str, Any]:
    """Return the row of a posted form: the same columns for everybody, whoever the address belongs to.

    `network_key` is the key of the client's network (`networks.keys`), or "" if it has none.
    """
    return {
        "address": address.written,
        "address_key": address.key,
        "fold_key": fold_key,
        "newsletters": list(newsletters),
        "wording_id": wording_id,
        "form": form,
        "evidence": dict(evidence),
        "received_at": now,
        "forget_at": now + LINK_LIFETIME,
        "state": SignupState.RECEIVED,
        "network_key": network_key,
        "form_id": form_id,
        "language": language,
        "nonce": secrets.randbits(63),
        "replaces": replaces,
        "doubt": doubt,
        "solution": solution,
    }


def receive(session: Session, **form: Any) -> None:
    """Store a posted form, given as to `values`, with exactly one INSERT."""
    insert_row(session, values(**form))


def insert_row(session: Session, row: Mapping[str, Any]) -> None:
    """Store a row of `values`."""
    session.execute(insert(Signup.__table__), row)  # type: ignore[arg-type]


class LetterTimes(Protocol):
    """The times of a sign-up on which its link's lifetime depends."""

    @property
    def received_at(self) -> datetime:
        """When the form was posted."""
        ...

    @property
    def asked_at(self) -> datetime | None:
        """When the letter was owed; None: when the form was posted."""
        ...


def link_ends_at(signup: LetterTimes) -> datetime:
    """Return when the confirmation link expires: 72 hours after its letter was owed."""
    return (signup.asked_at or signup.received_at) + LINK_LIFETIME


def expired(signup: LetterTimes, *, now: datetime) -> bool:
    """Return whether the confirmation link has expired."""
    return now >= link_ends_at(signup)
