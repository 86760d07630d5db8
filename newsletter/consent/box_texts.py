"""The title and the text above the form in the box on the publisher's page, as an operator wrote them."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class BoxText(Base):
    """What a newsletter's box says in a language. Without a row it says the newsletter's name and description."""

    __tablename__ = "box_texts"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    language: Mapped[str] = mapped_column(String(35), primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    changed_at: Mapped[datetime]
