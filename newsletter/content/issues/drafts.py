"""Drafts: keep drafted issues in step with their articles until they are approved."""

import logging
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.content.articles.appearances import is_withdrawn_everywhere
from newsletter.content.articles.articles import Article
from newsletter.content.issues import issue_texts, transitions
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus

WITHDRAWAL = "issue articles withdrawn"  # for the audit log
ALL_WITHDRAWN = "Every article of the issue was withdrawn by its publisher."

log = logging.getLogger(__name__)


def follow_edits(session: Session, article_ids: Collection[int]) -> None:
    """Make the subjects of drafts from the headlines of their articles again, after these articles were edited.

    A subject that an operator gave stays. The caller holds the lock of the newsletter.
    """
    if article_ids:
        for issue in _drafts_with(session, article_ids):
            issue_texts.follow_headlines(session, issue)


def drop_withdrawn(session: Session, article_ids: Collection[int], *, now: datetime) -> None:
    """Take articles that every feed has withdrawn out of drafts; cancel a draft that has no article left.

    An approved issue keeps them, because it is sent as it was approved; a warning is logged. The caller holds the lock
    of the newsletter.
    """
    if not article_ids:
        return
    withdrawn = select(Article.id).where(Article.id.in_(article_ids), is_withdrawn_everywhere())
    gone = set(session.scalars(withdrawn))
    for issue in _drafts_with(session, gone):
        _drop(session, issue, gone, now=now)
    approved = select(IssueArticle.issue_id, IssueArticle.article_id).join(Issue, Issue.id == IssueArticle.issue_id)
    unsent = approved.where(Issue.status == IssueStatus.APPROVED, IssueArticle.article_id.in_(gone))
    for issue_id, article_id in session.execute(unsent):
        log.warning(
            "the publisher of an article in an approved issue has withdrawn it",
            extra={"issue": issue_id, "article": article_id},
        )


def _drop(session: Session, issue: Issue, withdrawn: Collection[int], *, now: datetime) -> None:
    contained = select(IssueArticle.article_id).where(IssueArticle.issue_id == issue.id)
    ids = set(session.scalars(contained))
    gone = sorted(ids.intersection(withdrawn))
    transitions.log_change(
        session, issue, WITHDRAWAL.removeprefix("issue "), actor=audit_log.WORKER, now=now, articles=gone
    )
    if len(gone) == len(ids):  # a cancelled issue keeps its articles for the record
        transitions.cancel(session, issue, actor=audit_log.WORKER, now=now, reason=ALL_WITHDRAWN)
        return
    rows = delete(IssueArticle).where(IssueArticle.issue_id == issue.id, IssueArticle.article_id.in_(gone))
    session.execute(rows)
    issue_texts.follow_headlines(session, issue)


def _drafts_with(session: Session, article_ids: Collection[int]) -> list[Issue]:
    """Return the drafted issues that contain any of the articles, locked."""
    containing = select(IssueArticle.issue_id).where(IssueArticle.article_id.in_(article_ids))
    found = select(Issue).where(Issue.status == IssueStatus.DRAFTED, Issue.id.in_(containing)).order_by(Issue.id)
    return list(session.scalars(found.with_for_update(), execution_options={"populate_existing": True}))
