"""Issues: dated editions of a newsletter, each on its way from drafted to sent."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database import Base


class Status(StrEnum):
    """Where an issue is on its way."""

    DRAFTED = "drafted"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class Issue(Base):
    """One edition. The constraint makes a second issue for the same run of a digest impossible."""

    __tablename__ = "issues"
    __table_args__ = (
        UniqueConstraint("digest_id", "run_at"),
        UniqueConstraint("newsletter_id", "number"),
        Index(None, "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("digests.id"), default=None)  # None: drafted by hand
    number: Mapped[int | None] = mapped_column(default=None)  # within the newsletter, given when approved
    title: Mapped[str]  # plain text, one line: the subject of its letters
    status: Mapped[Status] = mapped_column(default=Status.DRAFTED)
    run_at: Mapped[datetime]  # when the schedule meant it to leave, or when it was drafted by hand
    window_from: Mapped[datetime | None] = mapped_column(default=None)
    window_to: Mapped[datetime]
    drafted_at: Mapped[datetime]
    approved_at: Mapped[datetime | None] = mapped_column(default=None)
    approved_sha: Mapped[str | None] = mapped_column(String(64), default=None)
    actor: Mapped[str | None] = mapped_column(String(255), default=None)  # who approved it
    sent_at: Mapped[datetime | None] = mapped_column(default=None)


class IssueArticle(Base):
    """An article's place in an issue. A digest never takes an article twice; cancelling gives it back."""

    __tablename__ = "issue_articles"
    __table_args__ = (UniqueConstraint("digest_id", "article_id"),)

    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"), primary_key=True, index=True)
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("digests.id"))
    position: Mapped[int]
