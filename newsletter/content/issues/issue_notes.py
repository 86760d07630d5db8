"""Issue notes: what changed in the feeds of an issue's articles since it was drafted, for its editor."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.content.articles.appearances import Appearance, has_left_everywhere, is_withdrawn_everywhere
from newsletter.content.articles.articles import Article
from newsletter.content.issues import drafts
from newsletter.content.issues.issues import FROZEN_STATUSES, Issue, IssueArticle, IssueStatus

UNSENT = (IssueStatus.DRAFTED, IssueStatus.APPROVED)


class ArticleChange(StrEnum):
    """What happened to an article; the value completes a sentence that begins with its title."""

    EDITED = "was edited after the draft"
    DIFFERS = "was changed by its publisher after the approval; readers get the approved version"
    DROPPED = "was withdrawn by its publisher, so the issue lost it"
    WITHDRAWN = "was withdrawn by its publisher"
    LEFT = "is no longer in its feed"


@dataclass(frozen=True, kw_only=True)
class ArticleNote:
    """A change of one article of an issue, and when it was noticed."""

    article_id: int
    title: str
    change: ArticleChange
    at: datetime


def of_issue(session: Session, issue: Issue) -> list[ArticleNote]:
    """Return the notes on an issue's articles, in the order of the issue; none for an issue that was cancelled.

    Articles that left the draft come last.
    """
    left_at = select(func.max(Appearance.left_at)).where(Appearance.article_id == Article.id).scalar_subquery()
    rows = session.execute(
        select(Article, is_withdrawn_everywhere(), has_left_everywhere(), left_at)
        .join(IssueArticle, IssueArticle.article_id == Article.id)
        .where(IssueArticle.issue_id == issue.id)
        .order_by(IssueArticle.position)
    )
    notes = [
        ArticleNote(article_id=article.id, title=article.title, change=change, at=at)
        for article, is_withdrawn, has_left, gone_at in rows
        for change, at in _changes(issue, article, gone_at, is_withdrawn=is_withdrawn, has_left=has_left)
    ]
    return notes + (_dropped(session, issue) if issue.status in UNSENT else [])


def _dropped(session: Session, issue: Issue) -> list[ArticleNote]:
    """Return the notes on articles that left the draft, as the audit log has them."""
    entries = audit_log.about(session, subject=f"issue:{issue.id}", verb=drafts.WITHDRAWAL)
    times = {article_id: entry.at for entry in entries for article_id in entry.fields["articles"]}
    if not times:
        return []
    titles = session.execute(select(Article.id, Article.title).where(Article.id.in_(times)).order_by(Article.id))
    return [
        ArticleNote(article_id=article_id, title=title, change=ArticleChange.DROPPED, at=times[article_id])
        for article_id, title in titles
    ]


def _changes(
    issue: Issue, article: Article, gone_at: datetime | None, *, is_withdrawn: bool, has_left: bool
) -> list[tuple[ArticleChange, datetime]]:
    changes: list[tuple[ArticleChange, datetime | None]] = []
    is_frozen = issue.status in FROZEN_STATUSES
    if article.edited_at and article.edited_at > issue.drafted_at and (is_frozen or issue.status in UNSENT):
        changes.append((ArticleChange.EDITED, article.edited_at))
    if is_frozen:
        changes.append((ArticleChange.DIFFERS, article.changed_at))
    if is_withdrawn and (is_frozen or issue.status in UNSENT):
        changes.append((ArticleChange.WITHDRAWN, gone_at))
    elif has_left and issue.status in UNSENT:  # articles of sent issues leave their feeds sooner or later
        changes.append((ArticleChange.LEFT, gone_at))
    return [(change, at) for change, at in changes if at]
