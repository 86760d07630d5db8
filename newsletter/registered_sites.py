"""Sites of publishers that may show a newsletter's sign-up box and post to the service."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class RegisteredSite(Base):
    """An origin (RFC 6454), such as https://www.example.org, for one newsletter."""

    __tablename__ = "registered_sites"
    __table_args__ = (UniqueConstraint("newsletter_id", "origin"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    origin: Mapped[str] = mapped_column(String(255))
    registered_at: Mapped[datetime]
