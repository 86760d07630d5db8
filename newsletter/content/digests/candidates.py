"""Read the articles that could go into an issue, with the facts that decide about them."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, false, select, tuple_
from sqlalchemy.orm import Session, aliased

from newsletter.content.articles.appearances import Appearance, is_withdrawn_everywhere
from newsletter.content.articles.articles import Article
from newsletter.content.digests.selection import Candidate
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus

ROWS_AT_A_TIME = 500


def read(
    session: Session,
    newsletter_id: int,
    digest_id: int | None = None,
    *,
    only_unused: bool = True,
    published_since: datetime | None = None,
    older_than: Candidate | None = None,
    limit: int | None = None,
) -> Iterator[Candidate]:
    """Yield the candidates of a digest's next issue, newest first; without a digest, of an issue drafted by hand.

    A digest may use what other digests of the newsletter used: a weekly one sums up a daily one. An issue by hand takes
    only what no issue has. Articles of cancelled issues are unused. With `only_unused`, used articles are
    left out, and with `published_since` older ones, which is faster: an archive may have a hundred thousand articles.
    At most `limit` are read, and only such as come after `older_than`.
    """
    in_this, in_another = _use(digest_id)
    found = select(
        Article.id,
        Article.title,
        Article.published_at,
        Article.first_seen_at,
        (false() if only_unused else in_this).label("in_this_digest"),
        (false() if only_unused else in_another).label("in_another_issue"),
        is_withdrawn_everywhere().label("is_withdrawn"),
        _is_feed_removed(newsletter_id).label("is_feed_removed"),
    )
    found = found.join(Feed, Feed.id == Article.feed_id).where(Feed.newsletter_id == newsletter_id)
    if only_unused:
        found = found.where(~in_this, ~in_another)
    if published_since:
        found = found.where(Article.published_at >= published_since)
    if older_than:
        place = tuple_(Article.published_at, Article.id)
        found = found.where(place < tuple_(older_than.published_at, older_than.id))
    newest = found.limit(limit).order_by(Article.published_at.desc(), Article.id.desc())
    with session.execute(newest, execution_options={"yield_per": ROWS_AT_A_TIME}) as rows:
        for row in rows.mappings():
            yield Candidate(**row)


def _use(digest_id: int | None) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return whether an issue of the digest has the article, and whether another has it that counts."""
    position = exists().where(IssueArticle.article_id == Article.id)
    alive = position.where(IssueArticle.issue_id == Issue.id, Issue.status != IssueStatus.CANCELLED)
    if digest_id is None:
        return false(), alive
    return position.where(IssueArticle.digest_id == digest_id), alive.where(Issue.digest_id.is_(None))


def _is_feed_removed(newsletter_id: int) -> ColumnElement[bool]:
    """Return whether an operator removed the article's feed, and every other of the newsletter that offered it."""
    other = aliased(Feed)
    kept = exists().where(
        Appearance.article_id == Article.id,
        Appearance.feed_id == other.id,
        other.newsletter_id == newsletter_id,
        other.removed_at.is_(None),
    )
    return and_(Feed.removed_at.is_not(None), ~kept)
