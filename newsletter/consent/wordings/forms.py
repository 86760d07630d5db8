"""Sign-up forms as they were published: the newsletters that each offered, its language, its words and what it showed.

A form is kept when it is published, never when it is shown. What changes with the day, and what a visitor enters,
stands outside of its exhibit.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.consent.wordings.wordings import Wording
from newsletter.languages import tags
from newsletter.store.database import Base


class FormKind(StrEnum):
    """Where a form is shown."""

    HOSTED = "hosted"  # on our own page
    BOX = "box"  # in the box on the publisher's page
    PASTED = "pasted"  # as generated, on a page that we never saw


class Form(Base):
    """One version of a form. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "forms"
    __table_args__ = (UniqueConstraint("wording_id", "kind", "exhibit"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    wording_id: Mapped[int] = mapped_column(ForeignKey("wordings.id"))
    kind: Mapped[FormKind]
    newsletters: Mapped[list[Any]]  # the ids of those it offers
    language: Mapped[str] = mapped_column(String(tags.MAX_CHARACTERS))  # BCP 47, as the wording's
    exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    published_at: Mapped[datetime]


def keep(
    session: Session, wording: Wording, kind: FormKind, newsletters: Sequence[int], exhibit: str, *, now: datetime
) -> Form:
    """Store a form that shows this wording, and return it. Storing the same form again changes nothing.

    Two transactions that store it at the same time must hold the lock of the wording's newsletter.
    """
    same = select(Form).where(Form.wording_id == wording.id, Form.kind == kind, Form.exhibit == exhibit)
    if found := session.scalar(same):
        return found
    form = Form(
        wording_id=wording.id,
        kind=kind,
        newsletters=list(newsletters),
        language=wording.language,
        exhibit=exhibit,
        published_at=now,
    )
    session.add(form)
    session.flush()
    return form


def every(session: Session) -> list[Form]:
    """Return all forms, oldest first."""
    return list(session.scalars(select(Form).order_by(Form.id)))
