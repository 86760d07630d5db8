"""Issues: dated editions of a newsletter, and their status from drafted to sent."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

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
    update,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, aliased, defer, mapped_column

from newsletter import audit_log, newsletters
from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.articles.story_keys import normalized
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import editions
from newsletter.content.issues.editions import Edition
from newsletter.errors import Malformed, Refused
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


# The statuses from which an issue may change to each. An issue begins as drafted or skipped.
ALLOWED_FROM = {
    IssueStatus.DRAFTED: (IssueStatus.APPROVED,),
    IssueStatus.APPROVED: (IssueStatus.DRAFTED,),
    IssueStatus.SENDING: (IssueStatus.APPROVED, IssueStatus.PAUSED),
    IssueStatus.PAUSED: (IssueStatus.SENDING,),
    IssueStatus.SENT: (IssueStatus.SENDING,),
    IssueStatus.CANCELLED: (IssueStatus.DRAFTED, IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED),
}
VERBS = {IssueStatus.SENDING: "begun"}  # for the audit log, where the status's own name is not the verb
EXPIRED = "expired"  # for the audit log: cancelled, because nobody approved the draft in time
FROZEN_STATUSES = (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT)


class ContentChanged(Refused):
    """The issue is not the one that was looked at, or approved."""

    default = "The issue has changed since you looked at it. Look again."


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
        number=issue.number or _next_number(session, issue.newsletter_id),
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


def is_as_approved(session: Session, issue: Issue) -> bool:
    """Whether readers would get what was approved.

    The release before hashed neither languages nor design; what it approved is compared without them.
    """
    shown = edition(session, issue)
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    return issue.approved_sha in (editions.content_hash(shown, newsletter), editions.former_content_hash(shown))


def frozen_article_ids() -> Select[int]:
    """Select the ids of the articles in issues that are approved or further; such articles are not edited any more."""
    return (
        select(IssueArticle.article_id)
        .join(Issue, Issue.id == IssueArticle.issue_id)
        .where(Issue.status.in_(FROZEN_STATUSES))
    )


def approve(
    session: Session, issue: Issue, *, actor: str, now: datetime, sha: str | None = None, due_at: datetime | None = None
) -> None:
    """Approve a drafted issue and assign its number; its articles are not edited any more.

    `sha` is the hash of the content that the approver saw: raises ContentChanged if it is another by now. With
    `due_at` the issue is sent at that time, else at the time that is planned. Raises Refused if it is no draft.
    """
    newsletters.lock(session, issue.newsletter_id)
    session.refresh(issue)
    session.get_one(Newsletter, issue.newsletter_id, populate_existing=True)
    current = content_hash(session, issue)
    if issue.status is IssueStatus.DRAFTED and sha not in (None, current):
        raise ContentChanged
    number = _next_number(session, issue.newsletter_id)
    values = {"number": number, "approved_sha": current, "approved_at": now, "actor": actor}
    values |= {"due_at": due_at} if due_at else {}
    facts = {"due_at": due_at.isoformat()} if due_at else {}
    change_status(session, issue, IssueStatus.APPROVED, values, actor=actor, now=now, facts=facts)


def begin_sending(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Begin to send an approved issue, or continue a paused one.

    Raises Refused before the issue's time and for any other status.
    """
    if issue.status is IssueStatus.APPROVED and issue.planned_at > now:
        raise Refused(
            f"Issue {issue.id} is scheduled for {issue.planned_at:%Y-%m-%d %H:%M} UTC and cannot be sent earlier."
        )
    change_status(session, issue, IssueStatus.SENDING, actor=actor, now=now)


def resume(
    session: Session, issue: Issue, *, actor: str, now: datetime, facts: Mapping[str, Any] | None = None
) -> None:
    """Continue a paused issue; `facts` are added to the audit log. Raises Refused for any other status."""
    if issue.status is not IssueStatus.PAUSED:
        raise Refused(f"Issue {issue.id} is {issue.status}; only a paused issue can be resumed.")
    change_status(session, issue, IssueStatus.SENDING, actor=actor, now=now, facts=facts)


def pause(session: Session, issue: Issue, *, actor: str, now: datetime, reason: str | None = None) -> None:
    """Pause an issue that is being sent; letters already sent are not affected.

    `reason` tells the operator what to repair. Raises Refused unless the issue is sending.
    """
    change_status(session, issue, IssueStatus.PAUSED, actor=actor, now=now, facts={"reason": reason} if reason else {})


def mark_sent(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Mark an issue sent, once all its deliveries are final. Raises Refused unless it is sending."""
    change_status(session, issue, IssueStatus.SENT, {"sent_at": now}, actor=actor, now=now)


def cancel(session: Session, issue: Issue, *, actor: str, now: datetime, reason: str | None = None) -> None:
    """Cancel an issue and free its articles for the next one. Raises Refused for a sent or a skipped issue."""
    facts = {"reason": reason} if reason else {}
    change_status(session, issue, IssueStatus.CANCELLED, actor=actor, now=now, facts=facts)
    _free_articles(session, issue)


def expire(session: Session, issue: Issue, *, reason: str, actor: str, now: datetime) -> bool:
    """Cancel a draft that nobody approved and free its articles; return False if it is no draft any more.

    Approval and expiry may come at the same time: the conditional UPDATE lets one of them pass.
    """
    try:
        change_status(
            session,
            issue,
            IssueStatus.CANCELLED,
            actor=actor,
            now=now,
            facts={"reason": reason},
            allowed_from=(IssueStatus.DRAFTED,),
            verb=EXPIRED,
        )
    except Refused:
        return False
    _free_articles(session, issue)
    return True


def cancellation_reason(session: Session, issue: Issue) -> str | None:
    """Return why a draft was cancelled without a person; None if a person cancelled it, or if it is not cancelled."""
    if issue.status is not IssueStatus.CANCELLED:
        return None
    subject = f"issue:{issue.id}"
    verbs = (f"issue {EXPIRED}", f"issue {IssueStatus.CANCELLED}")
    logged = (audit_log.last(session, subject=subject, verb=verb) for verb in verbs)
    return next((entry.fields.get("reason") for entry in logged if entry), None)


def pause_reason(session: Session, issue: Issue) -> str | None:
    """Return why a worker paused the issue; None if a person did, or if it is not paused."""
    if issue.status is not IssueStatus.PAUSED:
        return None
    paused = audit_log.last(session, subject=f"issue:{issue.id}", verb="issue paused")
    return paused.fields.get("reason") if paused else None


def change_status(
    session: Session,
    issue: Issue,
    to: IssueStatus,
    values: Mapping[str, Any] | None = None,
    *,
    actor: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
    allowed_from: tuple[IssueStatus, ...] | None = None,
    verb: str | None = None,
) -> None:
    """Change the status with one conditional UPDATE and log it; raise Refused if the stored status does not allow it.

    Of two transactions that try the same change, one is refused.
    """
    is_resumed = issue.status is IssueStatus.PAUSED and to is IssueStatus.SENDING
    verb = verb or ("resumed" if is_resumed else VERBS.get(to, to.value))
    allowed = update(Issue).where(Issue.id == issue.id, Issue.status.in_(allowed_from or ALLOWED_FROM[to]))
    changed = session.scalar(allowed.values(status=to, **(values or {})).returning(Issue.id))
    session.refresh(issue)
    if changed is None:
        reason = cancellation_reason(session, issue)
        because = f" ({reason})" if reason else ""
        raise Refused(f"Issue {issue.id} is {issue.status}{because}, so its status cannot change to {to}.")
    log_change(session, issue, verb, actor=actor, now=now, **(facts or {}))


def _free_articles(session: Session, issue: Issue) -> None:
    session.execute(update(IssueArticle).where(IssueArticle.issue_id == issue.id).values(digest_id=None))


def log_change(session: Session, issue: Issue, verb: str, *, actor: str, now: datetime, **facts: Any) -> None:
    """Add a change of an issue to the audit log."""
    audit_log.record(
        session,
        actor=actor,
        verb=f"issue {verb}",
        subject=f"issue:{issue.id}",
        newsletter_id=issue.newsletter_id,
        now=now,
        **facts,
    )


def _next_number(session: Session, newsletter_id: int) -> int:
    return (session.scalar(select(func.max(Issue.number)).where(Issue.newsletter_id == newsletter_id)) or 0) + 1
