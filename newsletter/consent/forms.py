"""Sign-up forms as they were published: the newsletters that each offered, its language, its words and what it showed.

A form is kept when it is published, never when it is shown. What changes with the day, and what a visitor enters,
stands outside of its exhibit.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

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
    language: Mapped[str] = mapped_column(String(35))  # BCP 47, as the wording's
    exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    published_at: Mapped[datetime]
