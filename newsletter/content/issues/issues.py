"""Issues: dated editions of a newsletter, and what readers see of them."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    UniqueConstraint,
    false,
    func,
    select,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, aliased, defer, mapped_column

from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.articles.story_keys import normalized
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import editions
from newsletter.content.issues.editions import Edition
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

MAX_ARTICLES = 100  # in an issue


class IssueStatus(StrEnum):
    """The status of an issue."""

    DRAFTED = "drafted"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


FROZEN_STATUSES = (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT)


class Issue(Base):
    """One edition. The constraint makes a second issue for the same run of a digest impossible."""

    __tablename__ = "issues"
    __table_args__ = (
        UniqueConstraint("digest_id", "run_at"),
        UniqueConstraint("newsletter_id", "number"),
        Index(None, "status"),
        Index(None, "run_at", "id"),
        Index(None, "sent_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("digests.id"), default=None)  # None: drafted by hand
    number: Mapped[int | None] = mapped_column(default=None)  # within the newsletter, assigned on approval
    title: Mapped[str]  # plain text, one line: the subject of its letters
    heading: Mapped[str | None] = mapped_column(default=None)  # the title in the letter; None: newsletter and date
    introduction: Mapped[str | None] = mapped_column(default=None)  # one or two paragraphs of plain text
    preheader: Mapped[str | None] = mapped_column(default=None)  # what inboxes show after the subject; None: made
    status: Mapped[IssueStatus] = mapped_column(default=IssueStatus.DRAFTED)
    run_at: Mapped[datetime]  # when the schedule says to send it, or when it was drafted by hand
    due_at: Mapped[datetime | None] = mapped_column(default=None)  # another time at which to send it; None: run_at
    window_from: Mapped[datetime | None] = mapped_column(default=None)
    window_to: Mapped[datetime]
    drafted_at: Mapped[datetime]
    approved_at: Mapped[datetime | None] = mapped_column(default=None)
    approved_sha: Mapped[str | None] = mapped_column(String(64), default=None)
    actor: Mapped[str | None] = mapped_column(String(255), default=None)  # who approved the issue
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    has_generated_title: Mapped[bool] = mapped_column(default=False, server_default=false())  # made from the headlines

    @hybrid_property
    def planned_at(self) -> datetime:
        """When the issue is to be sent, once it is approved. A time in the past means at once."""
        return self.due_at or self.run_at

    @planned_at.inplace.expression
    @classmethod
    def _planned_at(cls) -> ColumnElement[datetime]:
        return func.coalesce(cls.due_at, cls.run_at)


class IssueArticle(Base):
    """An article's position in an issue. A digest uses an article once; cancelling the issue frees it again."""

    __tablename__ = "issue_articles"
    __table_args__ = (UniqueConstraint("digest_id", "article_id"),)

    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"), primary_key=True, index=True)
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("digests.id"))
    position: Mapped[int]


def check_size(articles: int) -> None:
    """Raise Malformed unless an issue may have that many articles."""
    if not 1 <= articles <= MAX_ARTICLES:
        raise Malformed("articles", f"An issue has 1 to {MAX_ARTICLES} articles.")


def edition(session: Session, issue: Issue, *, base_url: str = "") -> Edition:
    """Return the issue as readers see it, with pictures under `base_url`. A draft shows the next free number."""
    thumbnail = aliased(Picture)
    rows = session.execute(
        select(Article, Feed, Picture, thumbnail)
        .join(IssueArticle, IssueArticle.article_id == Article.id)
        .join(Feed, Feed.id == Article.feed_id)
        .outerjoin(Picture, Picture.sha256 == Article.picture_sha256)
        .outerjoin(thumbnail, thumbnail.sha256 == Picture.thumbnail_sha256)
        .where(IssueArticle.issue_id == issue.id)
        .order_by(IssueArticle.position)
        .options(defer(Picture.body), defer(thumbnail.body)),
        execution_options={"populate_existing": True},  # a feed may have changed them since they were read
    )
    articles = tuple(editions.edition_article(*row, base_url=base_url) for row in rows)
    repeats = articles and normalized(issue.heading or "") == normalized(articles[0].title)
    return Edition(
        number=issue.number or next_number(session, issue.newsletter_id),
        title=issue.title,
        articles=articles,
        heading=None if repeats else issue.heading,
        preheader=issue.preheader,
        introduction=tuple(issue.introduction.split("\n\n")) if issue.introduction else (),
    )


def content_hash(session: Session, issue: Issue) -> str:
    """Return the hash of what readers see, which proves that the issue sent is the issue approved.

    It covers the languages and the design of the letter. It depends neither on the issue's number, nor on the time at
    which it is sent, nor on the URL of the site.
    """
    return editions.content_hash(edition(session, issue), session.get_one(Newsletter, issue.newsletter_id))


def frozen_article_ids() -> Select[int]:
    """Select the ids of the articles in issues that are approved or further; such articles are not edited any more."""
    return (
        select(IssueArticle.article_id)
        .join(Issue, Issue.id == IssueArticle.issue_id)
        .where(Issue.status.in_(FROZEN_STATUSES))
    )


def next_number(session: Session, newsletter_id: int) -> int:
    """Return the number of the newsletter's issue that is approved next."""
    return (session.scalar(select(func.max(Issue.number)).where(Issue.newsletter_id == newsletter_id)) or 0) + 1
