"""Texts of a publisher's own for the pages that the law asks for: privacy notice, imprint, accessibility statement."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class LegalPage(StrEnum):
    """A page that is generated from settings, and can be edited."""

    PRIVACY = "privacy"
    IMPRINT = "imprint"
    ACCESSIBILITY = "accessibility"


class PageText(Base):
    """A newsletter's own text of a page in a language. Without a row the page is generated."""

    __tablename__ = "page_texts"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    page: Mapped[LegalPage] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(35), primary_key=True)
    text: Mapped[str]
    changed_at: Mapped[datetime]
