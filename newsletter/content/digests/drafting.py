"""Draft issues: by hand, or for the newest run of a digest that is due."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.content import editions, issues
from newsletter.content.articles import Article
from newsletter.content.digests import digests, recurrence, selection
from newsletter.content.digests.digests import Digest
from newsletter.content.digests.selection import Candidate
from newsletter.content.feeds import Feed
from newsletter.content.issues import Issue, IssueArticle, IssueStatus
from newsletter.content.parsing.sanitizing import one_line
from newsletter.errors import Malformed, Refused
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.store.database_errors import is_unavailable

MAX_CANDIDATES = 500  # of the newest articles are considered for an issue
MAX_TITLE = 200  # characters

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DigestRun:
    """A run of a digest: its time, and the time of the run before it."""

    digest_id: int
    at: datetime
    since: datetime


def draft_due(reading: Begin, writing: Begin, *, now: datetime) -> None:
    """Draft the issues that are due, each in a transaction of its own.

    A digest that cannot be drafted is logged and does not delay the others. Raises if the database is unavailable.
    """
    with reading() as session:
        active = digests.active(session, now=now)
    for digest_id in active:
        try:
            with writing() as session:
                issue = draft_run(session, digest_id, now=now)
        except Exception as error:  # an error in one digest must not stop the others
            if is_unavailable(error):
                raise
            log_failure(log, f"digest {digest_id} cannot be drafted", error)
            continue
        if issue:
            log.info("issue drafted", extra={"issue": issue.id, "status": issue.status})


def draft_run(session: Session, digest_id: int, *, now: datetime) -> Issue | None:
    """Draft the issue of a digest's newest missed run; return None if no run is due.

    After a downtime, only the newest run is made up for. The issue of an automatic digest is approved at once.
    """
    if _due_run(session.get_one(Digest, digest_id), now) is None:
        return None
    # Check again with the row locked: the second of two workers sees that the first has drafted the run.
    digest = session.get_one(Digest, digest_id, with_for_update=True, populate_existing=True)
    at = _due_run(digest, now)
    if at is None:
        return None
    rule = digests.Rule.read(digest.rule)
    issue = draft(
        session,
        session.get_one(Newsletter, digest.newsletter_id),
        articles=rule.articles,
        actor=audit_log.SCHEDULER,
        now=now,
        run=DigestRun(digest.id, at=at, since=digest.last_run_at or digest.starts_at),
    )
    digest.last_run_at = at
    if rule.send == "automatic" and issue.status is IssueStatus.DRAFTED:
        issues.approve(session, issue, actor=audit_log.SCHEDULER, now=now)
    return issue


def draft(
    session: Session,
    newsletter: Newsletter,
    *,
    articles: int,
    actor: str,
    now: datetime,
    title: str | None = None,
    run: DigestRun | None = None,
) -> Issue:
    """Draft an issue of the newest articles, at most `articles`, that are in no other issue or only in cancelled ones.

    Without such articles, a digest's run yields a skipped issue, and an issue by hand raises Refused.
    """
    issues.check_size(articles)
    title = _checked_title(title or "")
    issues.lock_newsletter(session, newsletter.id)
    chosen = selection.choose(_candidates(session, newsletter.id), limit=articles)
    if not (chosen or run):
        raise Refused("There is nothing to draft: the newsletter's feeds have no new articles.")
    issue = Issue(
        newsletter_id=newsletter.id,
        digest_id=run.digest_id if run else None,
        title=title or editions.headline([article.title for article in chosen]),
        status=IssueStatus.DRAFTED if chosen else IssueStatus.SKIPPED,
        run_at=run.at if run else now,
        window_from=run.since if run else None,
        window_to=run.at if run else now,
        drafted_at=now,
        has_generated_title=not title,
    )
    session.add(issue)
    session.flush()
    _add_articles(session, issue, chosen)
    issues.log_change(session, issue, issue.status.value, actor=actor, now=now, articles=len(chosen))
    return issue


def _due_run(digest: Digest, now: datetime) -> datetime | None:
    since = digest.last_run_at or digest.starts_at
    return recurrence.latest_run(digest.cron, digest.zone, after=since, until=now) if digest.active else None


def _checked_title(text: str) -> str:
    title = one_line(text)
    if len(title) > MAX_TITLE:
        raise Malformed("title", f"Enter a title of at most {MAX_TITLE} characters; mail programs show about 60.")
    return title


def _candidates(session: Session, newsletter_id: int) -> list[Candidate]:
    """Return the newest articles of the newsletter's feeds that are in no issue, or in cancelled ones only."""
    is_used = exists().where(
        IssueArticle.article_id == Article.id, IssueArticle.issue_id == Issue.id, Issue.status != IssueStatus.CANCELLED
    )
    unused = select(Article.id, Article.published_at, Article.title).join(Feed, Feed.id == Article.feed_id)
    unused = unused.where(Feed.newsletter_id == newsletter_id, ~is_used)
    newest = unused.order_by(Article.published_at.desc(), Article.id.desc()).limit(MAX_CANDIDATES)
    return [Candidate(*row) for row in session.execute(newest)]


def _add_articles(session: Session, issue: Issue, chosen: Sequence[Candidate]) -> None:
    session.add_all(
        IssueArticle(issue_id=issue.id, article_id=article.id, digest_id=issue.digest_id, position=position)
        for position, article in enumerate(chosen)
    )
    session.flush()
