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

POOL = 500  # of the newest articles are looked at
LONGEST = 200  # characters of a title

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DigestRun:
    """A run of a digest: when it is, and since when the digest has not run."""

    digest_id: int
    at: datetime
    since: datetime


def draft_due(reading: Begin, writing: Begin, *, now: datetime) -> None:
    """Draft the issues that are due, each in a transaction of its own.

    A digest that cannot be drafted is logged and delays no other. Raises if the database is unavailable.
    """
    with reading() as session:
        due = digests.active(session, now=now)
    for digest in due:
        try:
            with writing() as session:
                issue = draft_run(session, digest, now=now)
        except Exception as error:  # whatever is wrong with this digest, the others come out
            if is_unavailable(error):
                raise
            log_failure(log, f"digest {digest} cannot be drafted", error)
            continue
        if issue:
            log.info("issue drafted", extra={"issue": issue.id, "status": issue.status})


def draft_run(session: Session, digest_id: int, *, now: datetime) -> Issue | None:
    """Make the issue that is due, if one is: of the newest missed run only, however long we were down."""
    if _due(session.get_one(Digest, digest_id), now) is None:
        return None
    # Looked at again with the row locked: of two workers, the second finds that the run has been made.
    digest = session.get_one(Digest, digest_id, with_for_update=True, populate_existing=True)
    at = _due(digest, now)
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
    """Make an issue of the newest articles, at most so many, that no other issue has that was not cancelled.

    If there are none, a digest's run is skipped; an issue by hand is refused.
    """
    issues.check_size(articles)
    title = _title(title or "")
    issues.lock_newsletter(session, newsletter.id)
    chosen = selection.choose(_offered(session, newsletter.id), limit=articles)
    if not (chosen or run):
        raise Refused("There is nothing to draft: the feeds have offered no article that no issue has had.")
    issue = Issue(
        newsletter_id=newsletter.id,
        digest_id=run.digest_id if run else None,
        title=title or editions.headline([article.title for article in chosen]),
        status=IssueStatus.DRAFTED if chosen else IssueStatus.SKIPPED,
        run_at=run.at if run else now,
        window_from=run.since if run else None,
        window_to=run.at if run else now,
        drafted_at=now,
    )
    session.add(issue)
    session.flush()
    _fill(session, issue, chosen)
    issues.log_change(session, issue, issue.status.value, actor=actor, now=now, articles=len(chosen))
    return issue


def _due(digest: Digest, now: datetime) -> datetime | None:
    since = digest.last_run_at or digest.starts_at
    return recurrence.latest_run(digest.cron, digest.zone, after=since, until=now) if digest.active else None


def _title(given: str) -> str:
    title = one_line(given)
    if len(title) > LONGEST:
        raise Malformed("title", f"Enter a title of at most {LONGEST} characters; mail programs show some sixty.")
    return title


def _offered(session: Session, newsletter_id: int) -> list[Candidate]:
    """The newest articles of the newsletter's feeds that are in no issue, or in cancelled ones only."""
    live = exists().where(
        IssueArticle.article_id == Article.id, IssueArticle.issue_id == Issue.id, Issue.status != IssueStatus.CANCELLED
    )
    mine = select(Article.id, Article.published_at, Article.title).join(Feed, Feed.id == Article.feed_id)
    mine = mine.where(Feed.newsletter_id == newsletter_id, ~live)
    newest = mine.order_by(Article.published_at.desc(), Article.id.desc()).limit(POOL)
    return [Candidate(*row) for row in session.execute(newest)]


def _fill(session: Session, issue: Issue, chosen: Sequence[Candidate]) -> None:
    session.add_all(
        IssueArticle(issue_id=issue.id, article_id=article.id, digest_id=issue.digest_id, position=position)
        for position, article in enumerate(chosen)
    )
    session.flush()
