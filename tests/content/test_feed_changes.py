"""Feeds are renamed, readdressed, moved, paused, resumed and removed."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.audit_log import AuditEntry
from newsletter.content import feed_changes, refreshing
from newsletter.content.articles import articles
from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.downloading.downloader import FeedDownload
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feed_attempts import FeedAttempt
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import approvals, issues, transitions
from newsletter.content.issues.issues import Issue
from newsletter.content.parsing.entries import ParsedFeed
from newsletter.doctor import counts
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, an_entry, downloads, publish

LATER = NOON + timedelta(hours=1)
BY = {"actor": "tests", "now": LATER}


def a_sent_issue(session: Session, newsletter: Newsletter, *, number: int = 1) -> Issue:
    issue = a_draft(session, newsletter, number=number)
    approvals.approve(session, issue, **BY)
    transitions.begin_sending(session, issue, **BY)
    transitions.mark_sent(session, issue, **BY)
    return issue


def a_draft(session: Session, newsletter: Newsletter, *, number: int = 1) -> Issue:
    return drafting.draft(session, newsletter, articles=number, actor="tests", now=NOON)


def offer_too(session: Session, feed: Feed, title: str) -> None:
    """Record that another feed offers the article as well."""
    article = session.scalars(select(Article).where(Article.title == title)).one()
    session.add(Appearance(feed_id=feed.id, article_id=article.id, identity=f"{feed.id}:{article.identity}"))
    session.flush()


def titles(session: Session, feed: Feed) -> set[str]:
    return set(session.scalars(select(Article.title).where(Article.feed_id == feed.id)))


def sources(session: Session, issue: Issue) -> list[tuple[str, str | None]]:
    return [(article.title, article.source) for article in issues.edition(session, issue).articles]


def verbs(session: Session) -> list[str]:
    entries = session.scalars(select(AuditEntry).where(AuditEntry.actor == "tests").order_by(AuditEntry.id))
    return [entry.verb for entry in entries]


def test_an_operators_title_wins_over_the_feeds_until_it_is_taken_back(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "bus")
        issue = a_draft(session, newsletter)
        feed_changes.rename(session, feed, "  The  Gazette ", **BY)
        assert (feed.shown_title, sources(session, issue)) == ("The Gazette", [("About bus", "The Gazette")])
        feed_changes.rename(session, feed, None, **BY)
        assert (feed.shown_title, sources(session, issue)) == ("Town", [("About bus", "Town")])
        for title in ("", " ", "x" * 201):
            with pytest.raises(Malformed):
                feed_changes.rename(session, feed, title, **BY)


def test_a_paused_feed_is_neither_asked_nor_due_nor_late(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        feed_changes.pause(session, feed, **BY)
        feeds.make_due(session, **BY)
        assert feeds.claim_due(session, now=LATER, limit=9) == []
        counted = counts.count(session, now=LATER).feeds
        assert (counted.ok, counted.paused, counted.due, counted.due_since) == (0, 1, 0, None)
        for change in (
            lambda: feed_changes.pause(session, feed, **BY),
            lambda: feeds.make_due(session, feed_ids=[feed.id], **BY),
        ):
            with pytest.raises(Refused, match="paused"):
                change()


def test_a_resumed_feed_is_due_at_once(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        with pytest.raises(Refused, match="not paused"):
            feed_changes.resume(session, feed, **BY)
        feed_changes.pause(session, feed, **BY)
        feed.next_try_at = LATER + timedelta(days=1)
        feed_changes.resume(session, feed, **BY)
        assert [due.id for due in feeds.claim_due(session, now=LATER, limit=9)] == [feed.id]


def test_only_the_feeds_that_are_named_become_due(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first, second = a_feed(session, newsletter, "first"), a_feed(session, newsletter, "second")
        first.next_try_at = second.next_try_at = LATER + timedelta(days=1)
        session.flush()
        feeds.make_due(session, feed_ids=[second.id], **BY)
        assert [due.id for due in feeds.claim_due(session, now=LATER, limit=9)] == [second.id]
        with pytest.raises(NotFound, match="no feed 99"):
            feeds.make_due(session, feed_ids=[99], **BY)


def test_a_new_address_is_asked_at_once_and_in_full(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        publish(session, feed, "bus")
        feed.etag, feed.last_modified, feed.error, feed.failures, feed.overruns = '"a"', "Mon", "It is gone.", 3, 2
        feed.next_try_at = LATER + timedelta(days=1)
        feed_changes.readdress(session, feed, "press.example/new.xml", **BY)
        session.flush()
        (due,) = feeds.claim_due(session, now=LATER, limit=9)
        assert (due.url, due.etag, due.last_modified) == ("https://press.example/new.xml", None, None)
        assert (feed.error, feed.failures, feed.overruns) == (None, 0, 0)
        assert titles(session, feed) == {"About bus"}
        entry = audit_log.last(session, subject=f"feed:{feed.id}", verb="feed's address changed")
        assert entry
        assert (entry.fields["before"], entry.fields["url"]) == ("https://press.example/town.xml", due.url)


def test_a_newsletter_has_a_feed_once_in_whatever_spelling(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first, second = a_feed(session, newsletter, "first"), a_feed(session, newsletter, "second")
        for spelling in (
            "http://press.example/first.xml",
            "https://PRESS.EXAMPLE:443/first.xml/",
            "press.example/first.xml",
        ):
            for take in (
                lambda: feeds.add(session, newsletter, spelling, **BY),  # noqa: B023 - called at once
                lambda: feed_changes.readdress(session, second, spelling, **BY),  # noqa: B023
            ):
                with pytest.raises(Malformed, match=rf"it is feed {first.id}, https://press.example/first.xml"):
                    take()
        feed_changes.readdress(session, first, "https://müll.example/first.xml", **BY)
        with pytest.raises(Malformed, match="already has this feed"):
            feeds.add(session, newsletter, "https://xn--mll-hoa.example/first.xml", **BY)
        assert feeds.add(session, a_newsletter(session, "evening"), first.url, **BY).id != first.id


def test_a_feed_moves_to_another_newsletter_with_its_unused_articles(begin):
    with begin() as session:
        morning, evening = a_newsletter(session), a_newsletter(session, "evening")
        feed, other = a_feed(session, morning), a_feed(session, morning, "other")
        publish(session, feed, "old", now=NOON - timedelta(hours=1))
        sent = a_sent_issue(session, morning)
        publish(session, feed, "bus", "shared")
        offer_too(session, other, "About shared")
        feed_changes.move(session, feed, evening, **BY)
        assert sources(session, a_draft(session, evening, number=9)) == [("About bus", "Town")]
        assert sources(session, a_draft(session, morning, number=9)) == [("About shared", "Other")]
        assert sources(session, sent) == [("About old", "Town")]


def test_a_feed_does_not_move_to_a_newsletter_that_has_it(begin):
    with begin() as session:
        morning, evening = a_newsletter(session), a_newsletter(session, "evening")
        feed = a_feed(session, morning)
        a_feed(session, evening)
        with pytest.raises(Malformed, match="already has this feed"):
            feed_changes.move(session, feed, evening, **BY)
        with pytest.raises(Malformed, match="reads feed"):
            feed_changes.move(session, feed, morning, **BY)


def test_a_feed_whose_articles_are_unused_is_removed_without_a_trace(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "bus", "bridge")
        removal = feed_changes.remove(session, feed, **BY)
        assert (removal.deleted, removal.kept, removal.drafts) == (2, 0, [])
        assert [session.scalars(select(table)).all() for table in (Feed, Article, Appearance)] == [[], [], []]
        assert verbs(session)[-1] == "feed removed"


def test_articles_in_issues_stay_with_the_source_of_a_removed_feed(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "sent", now=NOON - timedelta(hours=1))
        sent = a_sent_issue(session, newsletter)
        publish(session, feed, "drafted", now=NOON - timedelta(minutes=1))
        draft = a_draft(session, newsletter)
        publish(session, feed, "unused", now=NOON - timedelta(minutes=2))
        expected = feed_changes.preview_removal(session, feed)
        removal = feed_changes.remove(session, feed, **BY)
        assert removal == expected
        assert (removal.deleted, removal.kept, removal.drafts) == (1, 2, [draft.id])
        assert (sources(session, sent), sources(session, draft)) == (
            [("About sent", "Town")],
            [("About drafted", "Town")],
        )
        assert feeds.every(session) == []
        assert feeds.claim_due(session, now=LATER, limit=9) == []
        assert counts.count(session, now=LATER).feeds == (0, 0, 0, 0, None)
        with pytest.raises(NotFound, match="was removed"):
            feeds.numbered(session, feed.id)


def test_no_later_issue_takes_articles_of_a_removed_feed(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "bus")
        draft = a_draft(session, newsletter)
        feed_changes.remove(session, feed, **BY)
        transitions.cancel(session, draft, **BY)
        with pytest.raises(Refused):
            a_draft(session, newsletter)


def test_an_article_that_another_feed_offers_becomes_that_feeds(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed, other, elsewhere = (a_feed(session, newsletter, name) for name in ("town", "other", "third"))
        publish(session, feed, "bus", "withdrawn", "alone")
        offer_too(session, other, "About bus")
        offer_too(session, elsewhere, "About withdrawn")
        session.scalars(select(Appearance).where(Appearance.feed_id == elsewhere.id)).one().is_withdrawn = True
        publish(session, other, "bridge")
        offer_too(session, feed, "About bridge")
        expected = feed_changes.preview_removal(session, feed)
        removal = feed_changes.remove(session, feed, **BY)
        assert removal == expected
        assert (removal.deleted, removal.handed_over, removal.kept) == (2, 1, 0)
        assert titles(session, other) == {"About bus", "About bridge"}
        assert publish(session, elsewhere, "alone") == 1, "what was deleted may be offered by another feed later"


def test_a_removed_feed_that_is_added_again_knows_its_articles(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "bus")
        a_sent_issue(session, newsletter)
        feed_changes.rename(session, feed, "The Gazette", **BY)
        feed_changes.pause(session, feed, **BY)
        feed_changes.remove(session, feed, **BY)
        again = feeds.add(session, newsletter, "http://press.example/town.xml", **BY)
        assert (again.id, again.url, again.shown_title) == (feed.id, "http://press.example/town.xml", "Town")
        assert [due.id for due in feeds.claim_due(session, now=LATER, limit=9)] == [feed.id]
        assert publish(session, again, "bus", "bridge", now=LATER) == 1


def test_no_feed_takes_the_address_of_a_removed_one_by_a_change(begin):
    with begin() as session:
        newsletter, evening = a_newsletter(session), a_newsletter(session, "evening")
        feed, other, third = a_feed(session, newsletter), a_feed(session, newsletter, "other"), a_feed(session, evening)
        publish(session, feed, "bus")
        a_sent_issue(session, newsletter)
        feed_changes.remove(session, feed, **BY)
        for take in (
            lambda: feed_changes.readdress(session, other, feed.url, **BY),
            lambda: feed_changes.move(session, third, newsletter, **BY),
        ):
            with pytest.raises(Malformed, match="To read it again, add"):
                take()


@pytest.mark.parametrize("change", ["remove", "remove all", "pause", "readdress"])
def test_an_answer_that_comes_after_the_change_does_no_harm(begin, change):
    """A worker has claimed the feed before, and stores what came afterwards."""
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        if change == "remove":
            publish(session, feed, "bus")
            a_sent_issue(session, newsletter)
        feed_id = feed.id

    class Changing:
        """A downloader during whose download the operator changes the feed."""

        def feed(self, url, *, etag=None, last_modified=None):
            with begin() as session:
                feed = feeds.numbered(session, feed_id, for_change=True)
                match change:
                    case "pause":
                        feed_changes.pause(session, feed, **BY)
                    case "readdress":
                        feed_changes.readdress(session, feed, "https://press.example/new.xml", **BY)
                    case _:
                        feed_changes.remove(session, feed, **BY)
            document = b"<rss version='2.0'><channel><title>T</title><item><title>Late</title></item></channel></rss>"
            return downloads({url: document}).feed(url)

    refreshing.refresh_due(begin, Changing(), now=LATER, limit=1)
    with begin() as session:
        feed = session.get(Feed, feed_id)
        stored = articles.counts(session, [feed_id])[feed_id]
        assert {
            "remove": feed is not None and stored == 1,
            "remove all": feed is None and stored == 0,
            "pause": feed is not None and feed.paused_at == LATER,
            "readdress": feed is not None and stored == 0 and feed.next_try_at == LATER,
        }[change]


@pytest.mark.parametrize("moved_to", [None, "https://press.example/moved.xml"])
def test_a_feed_is_removed_while_the_feed_that_takes_its_articles_over_is_stored(postgresql_database, moved_to):
    """Storing locks a feed before the newsletter, and removing refers to that feed after it: neither waits for ever."""
    begin, stored = postgresql_database.writing, []
    with begin() as session:
        newsletter = a_newsletter(session)
        town, harbor = a_feed(session, newsletter), a_feed(session, newsletter, "harbor")
        publish(session, town, "bridge")
        offer_too(session, harbor, "About bridge")
        (due,) = feeds.claim_due(session, now=NOON, limit=9)[1:]
    read = FeedDownload(url=due.url, feed=ParsedFeed(title="Harbor", entries=(an_entry("tide"),)), moved_to=moved_to)

    def work() -> None:
        with begin() as session:
            stored.append(refreshing.store(session, due, FeedAttempt(download=read), now=NOON))

    worker = Thread(target=work)
    with begin() as session:
        newsletters.lock(session, newsletter.id)
        worker.start()
        while not session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass
        removal = feed_changes.remove(session, feeds.numbered(session, town.id, for_change=True), **BY)
    worker.join()
    assert (removal.handed_over, stored) == (1, [1])


def test_two_commands_at_once_add_one_feed_whichever_spelling_they_use(begin):
    with begin() as session:
        a_newsletter(session)
    together, refusals = Barrier(2), []

    def add(url: str) -> None:
        together.wait()
        try:
            with begin() as session:
                feeds.add(session, session.scalars(select(Newsletter)).one(), url, **BY)
        except Malformed as error:
            refusals.append(str(error))

    commands = [Thread(target=add, args=(url,)) for url in ("https://example.org/feed", "http://example.org/feed/")]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    with begin() as session:
        assert len(session.scalars(select(Feed)).all()) == 1
    assert len(refusals) == 1
    assert "already has this feed" in refusals[0]
