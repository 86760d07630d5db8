"""Draft issues: by hand, for the newest run of a digest that is due, or for a digest now."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.content.digests import candidates, digests, expiry, selection
from newsletter.content.digests.digests import Digest, Rule
from newsletter.content.digests.selection import ArticleVerdict, Candidate, Terms
from newsletter.content.issues import approvals, headings, issue_texts, issues, transitions
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from newsletter.errors import Refused
from newsletter.languages.languages import language
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.store.database_errors import is_unavailable

log = logging.getLogger(__name__)


class NothingNew(Refused):
    """A digest has no article for an issue."""


@dataclass(frozen=True)
class DigestRun:
    """A run of a digest: its time, and the time of the run before it."""

    digest_id: int
    at: datetime
    since: datetime


def draft_due(reading: Begin, writing: Begin, *, now: datetime) -> None:
    """Expire the drafts that nobody approved, then draft the issues that are due, each in a transaction of its own.

    A digest that cannot be drafted is logged and does not delay the others. Raises if the database is unavailable.
    """
    expiry.expire_due(reading, writing, now=now)
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

    After a downtime, only the newest run is made up for; an automatic digest may wait with that until readers expect
    it. The issue of an automatic digest is approved at once. Drafts that nobody approved in time are expired first, so
    that the issue can have their articles.
    """
    if digests.due_run(session.get_one(Digest, digest_id), now=now) is None:
        return None
    # Check again with the row locked: the second of two workers sees that the first has drafted the run.
    digest = session.get_one(Digest, digest_id, with_for_update=True, populate_existing=True)
    at = digests.due_run(digest, now=now)
    if at is None:
        return None
    expiry.expire(session, digest_id, now=now)
    newsletter = session.get_one(Newsletter, digest.newsletter_id)
    rule = Rule.read(digest.rule)
    run = DigestRun(digest.id, at=at, since=digest.drafted_until)
    chosen = _choose(session, newsletter, digest_terms(digest), digest.id, now=now)
    issue = _store(session, newsletter, chosen, run=run, actor=audit_log.SCHEDULER, now=now)
    digest.last_run_at = at
    if rule.is_automatic and issue.status is IssueStatus.DRAFTED:
        approvals.approve(session, issue, actor=audit_log.SCHEDULER, now=now)
    return issue


def draft_now(session: Session, digest_id: int, *, actor: str, now: datetime) -> Issue:
    """Draft a digest's next issue now, which makes up for its missed runs; its next scheduled run stays.

    An operator approves the issue, even of an automatic digest. Raises NotFound for an unknown digest, and NothingNew.
    """
    session.get(Digest, digest_id, with_for_update=True, populate_existing=True)
    digest, newsletter = digests.numbered(session, digest_id)
    expiry.expire(session, digest_id, now=now)
    terms = digest_terms(digest)
    chosen = _choose(session, newsletter, terms, digest.id, now=now)
    if not chosen:
        raise NothingNew(f"There is nothing new for digest {digest.id}.")
    run = DigestRun(digest.id, at=now, since=digest.drafted_until)
    digest.last_run_at = max(digest.drafted_until, now)
    return _store(session, newsletter, chosen, run=run, actor=actor, now=now)


def digest_terms(digest: Digest) -> Terms:
    """Return what a digest's issues take."""
    rule = Rule.read(digest.rule)
    return Terms(articles=rule.articles, archive=rule.archive, digest_began_at=digest.starts_at)


def draft(
    session: Session,
    newsletter: Newsletter,
    *,
    articles: int,
    actor: str,
    now: datetime,
    title: str | None = None,
    heading: str | None = None,
    introduction: str | None = None,
    archive: bool = False,
) -> Issue:
    """Draft an issue by hand of the newest articles, at most `articles`, that are in no issue but cancelled ones.

    Articles that were old when they were first seen count only with `archive`. Without an article, raises Refused; for
    a text that `issue_texts` does not accept, Malformed.
    """
    issues.check_size(articles)
    title = issue_texts.checked_title(title or "")
    own_heading = issue_texts.checked_heading(heading or "")
    own_introduction = issue_texts.checked_introduction(introduction or "")
    terms = Terms(articles=articles, archive=archive)
    chosen = _choose(session, newsletter, terms, now=now)
    if not chosen:
        raise Refused(_nothing_new(session, newsletter, terms, now))
    issue = _store(session, newsletter, chosen, title=title, actor=actor, now=now)
    issue.heading, issue.introduction = own_heading, own_introduction
    session.flush()
    return issue


def _choose(
    session: Session, newsletter: Newsletter, terms: Terms, digest_id: int | None = None, *, now: datetime
) -> list[Candidate]:
    newsletters.lock(session, newsletter.id)  # or another draft could take the same articles
    unused = candidates.read(session, newsletter.id, digest_id, published_since=terms.published_since)
    return selection.choose(unused, terms, now=now)


def _nothing_new(session: Session, newsletter: Newsletter, terms: Terms, now: datetime) -> str:
    judged = selection.judge(candidates.read(session, newsletter.id), terms, now=now)
    count = sum(judgement.verdict is ArticleVerdict.ARCHIVE for judgement in judged)
    if not count:
        return "There is nothing to draft: the newsletter's feeds have no new articles."
    older = "1 older article waits" if count == 1 else f"{count:,} older articles wait"
    return f"There is nothing new; {older} in the archive: newsletter issues draft {newsletter.slug} --archive"


def _store(
    session: Session,
    newsletter: Newsletter,
    chosen: Sequence[Candidate],
    *,
    actor: str,
    now: datetime,
    title: str = "",
    run: DigestRun | None = None,
) -> Issue:
    """Store the issue with these articles; without articles, a skipped issue."""
    issue = Issue(
        newsletter_id=newsletter.id,
        digest_id=run.digest_id if run else None,
        title=title or headings.headline([article.title for article in chosen], language(newsletter.language)),
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
    transitions.log_change(session, issue, issue.status.value, actor=actor, now=now, articles=len(chosen))
    return issue


def _add_articles(session: Session, issue: Issue, chosen: Sequence[Candidate]) -> None:
    session.add_all(
        IssueArticle(issue_id=issue.id, article_id=article.id, digest_id=issue.digest_id, position=position)
        for position, article in enumerate(chosen)
    )
    session.flush()
