"""Change feeds: their address, title or newsletter; pause, resume and remove them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, case, delete, exists, func, select, update
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.feeds import feed_addresses, feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from newsletter.content.parsing.texts.sanitizing import one_line, without_userinfo
from newsletter.errors import Malformed, Refused
from newsletter.newsletters import Newsletter

MAX_TITLE = 200  # characters

WITHOUT_SYNCHRONIZING = {"synchronize_session": False}


@dataclass(frozen=True)
class FeedRemoval:
    """What became of a removed feed's articles, as numbers; and the ids of the drafts that still hold some."""

    deleted: int
    handed_over: int  # to another feed of the newsletter that offers them too
    kept: int
    drafts: Sequence[int]

    @property
    def articles_in_words(self) -> str:
        """What becomes of the articles: "1 deleted; 2 kept, because issues hold them", or "none"."""
        parts = {
            "deleted": self.deleted,
            "left to another feed that offers them too": self.handed_over,
            "kept, because issues hold them": self.kept,
        }
        return "; ".join(f"{number} {words}" for words, number in parts.items() if number) or "none"


def rename(session: Session, feed: Feed, title: str | None, *, actor: str, now: datetime) -> None:
    """Show the title instead of the feed's own, also in the archive; with None, the feed's own again.

    Raises Malformed unless the title is one line of 1 to 200 characters.
    """
    if title is not None:
        title = one_line(title)
        if not 1 <= len(title) <= MAX_TITLE:
            raise Malformed("title", f"Enter a title of 1 to {MAX_TITLE} characters; letters show it as the source.")
    feed.own_title = title
    feeds.record_change(session, feed, "feed's title changed", actor=actor, now=now, title=title)


def readdress(session: Session, feed: Feed, url: str, *, actor: str, now: datetime) -> None:
    """Read the feed from another address, due at once. Its articles stay, and those that it offers again are known.

    Raises Malformed for a bad address, and for one that another feed of the newsletter has or had.
    """
    address = feed_addresses.candidates(url)[0]
    newsletter = session.get_one(Newsletter, feed.newsletter_id)
    newsletters.lock(session, newsletter.id)
    if removed := feeds.unused_address(session, newsletter, address, besides=feed):
        raise _was_removed(removed, newsletter)
    before = without_userinfo(feed.url)
    feeds.begin_anew(feed, address, now=now)
    _leave(session, feed, now=now)
    feeds.record_change(session, feed, "feed's address changed", actor=actor, now=now, url=address, before=before)


def move(session: Session, feed: Feed, newsletter: Newsletter, *, actor: str, now: datetime) -> None:
    """Let another newsletter read the feed. Articles in no issue move with it; issues keep theirs.

    An article that another feed of the old newsletter offers too stays there, unless an issue holds it. Raises
    Malformed if the newsletter has or had a feed with this address.
    """
    before = session.get_one(Newsletter, feed.newsletter_id)
    if before.id == newsletter.id:
        raise Malformed("newsletter", f"“{newsletter.name}” reads feed {feed.id} already.")
    for newsletter_id in sorted((before.id, newsletter.id)):  # in one order, so that two moves cannot block each other
        newsletters.lock(session, newsletter_id)
    if removed := feeds.unused_address(session, newsletter, feed.url):
        raise _was_removed(removed, newsletter)
    _part(session, feed)
    feed.newsletter_id = newsletter.id
    fields = {"newsletter": newsletter.slug, "before": before.slug}
    feeds.record_change(session, feed, "feed's newsletter changed", actor=actor, now=now, **fields)


def pause(session: Session, feed: Feed, *, actor: str, now: datetime) -> None:
    """Ask the feed no more until it is resumed. Its articles stay candidates for issues. Raises Refused if paused."""
    if feed.paused_at:
        raise Refused(f"Feed {feed.id} is paused already, since {feed.paused_at:%Y-%m-%d %H:%M} UTC.")
    feed.paused_at = now
    feeds.record_change(session, feed, "feed paused", actor=actor, now=now)


def resume(session: Session, feed: Feed, *, actor: str, now: datetime) -> None:
    """Ask a paused feed again, due at once. Raises Refused if it is not paused."""
    if not feed.paused_at:
        raise Refused(f"Feed {feed.id} is not paused.")
    feed.paused_at, feed.next_try_at = None, now
    feeds.record_change(session, feed, "feed resumed", actor=actor, now=now)


def remove(session: Session, feed: Feed, *, actor: str, now: datetime) -> FeedRemoval:
    """Remove a feed, and delete its articles that no issue holds and no other feed of the newsletter offers.

    Articles in issues stay, and the feed's row with them, for the name of their source. Drafts stay as they are, too:
    their editor has seen them, and removing a feed says only that it shall bring nothing more. No later issue takes
    articles of a removed feed.
    """
    newsletters.lock(session, feed.newsletter_id)
    handed_over = _part(session, feed)
    unused = (Article.feed_id == feed.id, ~_is_in_an_issue())
    ids = select(Article.id).where(*unused)
    session.execute(delete(Appearance).where(Appearance.article_id.in_(ids)), execution_options=WITHOUT_SYNCHRONIZING)
    gone = session.scalars(
        delete(Article).where(*unused).returning(Article.id), execution_options=WITHOUT_SYNCHRONIZING
    ).all()
    kept = session.scalar(select(func.count()).where(Article.feed_id == feed.id)) or 0
    removal = FeedRemoval(len(gone), handed_over, kept, _drafts(session, feed))
    feeds.record_change(session, feed, "feed removed", actor=actor, now=now, deleted=len(gone), kept=kept)
    if kept:
        _leave(session, feed, now=now)
        feed.removed_at = now
    else:
        session.delete(feed)
    session.flush()
    return removal


def preview_removal(session: Session, feed: Feed) -> FeedRemoval:
    """Return what `remove` would do now. Changes nothing."""
    is_held = _is_in_an_issue()
    counted = select(func.count(), func.count(case((is_held, 1)))).where(Article.feed_id == feed.id)
    articles, kept = session.execute(counted).one()
    shared = _shared(feed).where(~is_held).with_only_columns(Article.id).order_by(None).distinct()
    handed_over = session.scalar(select(func.count()).select_from(shared.subquery())) or 0
    deleted = articles - kept - handed_over
    return FeedRemoval(deleted=deleted, handed_over=handed_over, kept=kept, drafts=_drafts(session, feed))


def _was_removed(feed: Feed, newsletter: Newsletter) -> Malformed:
    return Malformed(
        "url",
        f"“{newsletter.name}” had a feed with this address, which was removed. To read it again, add "
        f"{without_userinfo(feed.url)} as a feed of this newsletter.",
    )


def _is_in_an_issue(*statuses: IssueStatus) -> ColumnElement[bool]:
    """Whether an issue of these statuses, by default of any, holds the article."""
    held = exists().where(IssueArticle.article_id == Article.id)
    return held.where(Issue.id == IssueArticle.issue_id, Issue.status.in_(statuses)) if statuses else held


def _part(session: Session, feed: Feed) -> int:
    """Part a feed's articles from those of other feeds of its newsletter; return how many another feed takes over.

    An article that is in no issue, and that another feed offers too, becomes that feed's. The feed no longer counts as
    offering the articles of others.
    """
    handed_over = set()
    for article, appearance in session.execute(_shared(feed)).all():
        identity = appearance.identity or article.identity
        taken = select(Article.id).where(Article.feed_id == appearance.feed_id, Article.identity == identity)
        if article.id not in handed_over and session.scalar(taken) is None:
            article.feed_id, article.identity = appearance.feed_id, identity
            session.flush()
            handed_over.add(article.id)
    own = select(Article.id).where(Article.feed_id == feed.id)
    of_others = delete(Appearance).where(Appearance.feed_id == feed.id, Appearance.article_id.not_in(own))
    session.execute(of_others, execution_options=WITHOUT_SYNCHRONIZING)
    return len(handed_over)


def _shared(feed: Feed) -> Select[Article, Appearance]:
    """Select the feed's articles in no issue that another feed of its newsletter offers too, with where it does."""
    in_use = tuple(status for status in IssueStatus if status is not IssueStatus.CANCELLED)
    return (
        select(Article, Appearance)
        .join(Appearance, Appearance.article_id == Article.id)
        .join(Feed, Feed.id == Appearance.feed_id)
        .where(Article.feed_id == feed.id, ~_is_in_an_issue(*in_use))
        .where(Feed.id != feed.id, Feed.newsletter_id == feed.newsletter_id, Feed.removed_at.is_(None))
        .where(~Appearance.is_withdrawn)
        .order_by(Article.id, Appearance.feed_id)
    )


def _leave(session: Session, feed: Feed, *, now: datetime) -> None:
    """Mark that the feed offers none of its articles any more; their publisher need not have withdrawn them."""
    offered = update(Appearance).where(Appearance.feed_id == feed.id, Appearance.left_at.is_(None))
    session.execute(offered.values(left_at=now), execution_options=WITHOUT_SYNCHRONIZING)


def _drafts(session: Session, feed: Feed) -> Sequence[int]:
    drafts = (
        select(Issue.id)
        .join(IssueArticle, IssueArticle.issue_id == Issue.id)
        .join(Article, Article.id == IssueArticle.article_id)
        .where(Article.feed_id == feed.id, Issue.status == IssueStatus.DRAFTED)
    )
    return session.scalars(drafts.distinct().order_by(Issue.id)).all()
