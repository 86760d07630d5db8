"""Issues: dated editions of a newsletter, each on its way from drafted to sent."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, String, UniqueConstraint, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log
from newsletter.content import editions
from newsletter.content.articles import Article
from newsletter.content.editions import Edition
from newsletter.content.feeds import Feed
from newsletter.content.pictures import Picture
from newsletter.errors import Malformed, Refused
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

MAX_ARTICLES = 100  # articles in an issue


class IssueStatus(StrEnum):
    """Where an issue is on its way."""

    DRAFTED = "drafted"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


# From which status an issue may come to each; drafted and skipped are where it begins.
ALLOWED_FROM = {
    IssueStatus.APPROVED: (IssueStatus.DRAFTED,),
    IssueStatus.SENDING: (IssueStatus.APPROVED, IssueStatus.PAUSED),
    IssueStatus.PAUSED: (IssueStatus.SENDING,),
    IssueStatus.SENT: (IssueStatus.SENDING,),
    IssueStatus.CANCELLED: (IssueStatus.DRAFTED, IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED),
}
WORDS = {IssueStatus.SENDING: "begun"}  # what is said of an arrow where its end's name does not
FROZEN_STATUSES = (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT)


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
    status: Mapped[IssueStatus] = mapped_column(default=IssueStatus.DRAFTED)
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


def check_size(articles: int) -> None:
    """Raise Malformed for more articles than anybody reads, and for fewer than one."""
    if not 1 <= articles <= MAX_ARTICLES:
        raise Malformed("articles", f"An issue takes 1 to {MAX_ARTICLES} articles.")


def edition(session: Session, issue: Issue, *, base_url: str = "") -> Edition:
    """What readers see of an issue; pictures lie under `base_url`. Before approval, the number is the next one."""
    rows = session.execute(
        select(Article, Feed, Picture)
        .join(IssueArticle, IssueArticle.article_id == Article.id)
        .join(Feed, Feed.id == Article.feed_id)
        .outerjoin(Picture, Picture.sha256 == Article.picture_sha256)
        .where(IssueArticle.issue_id == issue.id)
        .order_by(IssueArticle.position)
    )
    return Edition(
        number=issue.number or _next_number(session, issue.newsletter_id),
        title=issue.title,
        articles=tuple(editions.edition_article(*row, base_url=base_url) for row in rows),
    )


def content_hash(session: Session, issue: Issue) -> str:
    """A hash over what readers will see: what was approved is what leaves."""
    return editions.content_hash(edition(session, issue))


def frozen_article_ids() -> Select[int]:
    """The ids of the articles that stand in an approved issue or a later one; they are not edited any more."""
    return (
        select(IssueArticle.article_id)
        .join(Issue, Issue.id == IssueArticle.issue_id)
        .where(Issue.status.in_(FROZEN_STATUSES))
    )


def approve(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Release a drafted issue as it stands. It gets its number, and its articles are not edited any more."""
    lock_newsletter(session, issue.newsletter_id)
    number, sha = _next_number(session, issue.newsletter_id), content_hash(session, issue)
    step = {"number": number, "approved_sha": sha, "approved_at": now, "actor": actor}
    _change_status(session, issue, IssueStatus.APPROVED, step, actor=actor, now=now)


def begin_sending(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Begin to send an approved issue whose time has come, or go on with a paused one, whose time has come before."""
    if issue.status is IssueStatus.APPROVED and issue.run_at > now:
        raise Refused(f"Issue {issue.id} is meant for {issue.run_at:%Y-%m-%d %H:%M} UTC; that is yet to come.")
    _change_status(session, issue, IssueStatus.SENDING, actor=actor, now=now)


def resume(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Go on with a paused issue. Raises Refused for any other."""
    if issue.status is not IssueStatus.PAUSED:
        raise Refused(f"Issue {issue.id} is {issue.status}; only a paused one can be resumed.")
    begin_sending(session, issue, actor=actor, now=now)


def pause(session: Session, issue: Issue, *, actor: str, now: datetime, reason: str | None = None) -> None:
    """Hold an issue that is leaving; what has left has left. The reason is for who has to mend it."""
    _change_status(session, issue, IssueStatus.PAUSED, actor=actor, now=now, facts={"reason": reason} if reason else {})


def mark_sent(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Call an issue sent: nothing of it is owed any more."""
    _change_status(session, issue, IssueStatus.SENT, {"sent_at": now}, actor=actor, now=now)


def cancel(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Give an issue up. Its articles are free for the next one."""
    _change_status(session, issue, IssueStatus.CANCELLED, actor=actor, now=now)
    session.execute(update(IssueArticle).where(IssueArticle.issue_id == issue.id).values(digest_id=None))


def pause_reason(session: Session, issue: Issue) -> str | None:
    """Why an issue is paused, where it was not a person who paused it."""
    if issue.status is not IssueStatus.PAUSED:
        return None
    paused = audit_log.last(session, subject=f"issue:{issue.id}", verb="issue paused")
    return paused.fields.get("reason") if paused else None


def _change_status(
    session: Session,
    issue: Issue,
    to: IssueStatus,
    values: Mapping[str, Any] | None = None,
    *,
    actor: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Take an arrow, if the issue still is where the arrow begins: of two who try, one is refused.

    Who took it is remembered here, and so for every arrow.
    """
    word = "resumed" if issue.status is IssueStatus.PAUSED and to is IssueStatus.SENDING else WORDS.get(to, to.value)
    step = update(Issue).where(Issue.id == issue.id, Issue.status.in_(ALLOWED_FROM[to]))
    moved = session.scalar(step.values(status=to, **(values or {})).returning(Issue.id))
    session.refresh(issue)
    if moved is None:
        raise Refused(f"Issue {issue.id} is {issue.status}; so it cannot be {to}.")
    log_change(session, issue, word, actor=actor, now=now, **(facts or {}))


def log_change(session: Session, issue: Issue, word: str, *, actor: str, now: datetime, **facts: Any) -> None:
    """Add the change of an issue to the audit log."""
    audit_log.record(session, actor=actor, verb=f"issue {word}", subject=f"issue:{issue.id}", now=now, **facts)


def lock_newsletter(session: Session, newsletter_id: int) -> None:
    """Let nobody else draft or number for this newsletter until the transaction ends."""
    session.execute(select(Newsletter.id).where(Newsletter.id == newsletter_id).with_for_update(key_share=True))


def _next_number(session: Session, newsletter_id: int) -> int:
    return (session.scalar(select(func.max(Issue.number)).where(Issue.newsletter_id == newsletter_id)) or 0) + 1
