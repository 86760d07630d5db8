"""Tickets: each confirmation letter to an inbox takes one of its three for a day (24 hours).

Number 0 is for the untagged spelling alone, so that a stranger's victim+x@ cannot keep victim@ from its letter.
"""

from datetime import datetime

from sqlalchemy import SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class Ticket(Base):
    """One of an inbox's tickets, taken for a letter. It can be taken again 24 hours later."""

    __tablename__ = "tickets"

    fold_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(index=True)
    occasion: Mapped[str] = mapped_column(String(64))  # of the letter, such as `signup:7`
