"""Looks at feed addresses that somebody asked for at the desk: a worker makes them, and the page shows the result."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class RequestedLook(Base):
    """One look: what would come from an address before it is added to a newsletter, or becomes a feed's."""

    __tablename__ = "requested_looks"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    feed_id: Mapped[int | None] = mapped_column(ForeignKey("feeds.id", ondelete="CASCADE"), default=None)
    url: Mapped[str]  # as it was entered
    actor: Mapped[str]
    requested_at: Mapped[datetime]
    looked_at: Mapped[datetime | None] = mapped_column(default=None)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
