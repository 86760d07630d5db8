"""Known articles: few of them are read, however many feeds offer a story or date their articles alike."""

from datetime import timedelta

from newsletter.content.articles import known_articles, recognition
from newsletter.content.parsing.entries import FeedEntry
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, an_entry, store

FEEDS = 20
MIDNIGHT = NOON - timedelta(hours=12)
TEXT = "The new bridge opens on Saturday. Everybody may walk across it."


def of_feed(number: int, name: str, **changes) -> FeedEntry:
    """An entry under an id and a link that no other feed gives it."""
    unique = {"identity": f"{name}{number}", "url": f"https://town{number}.example/{name}", "published_at": MIDNIGHT}
    return an_entry(name, **unique | changes)


def known(session, feed, *entries: FeedEntry) -> list[tuple[int, bool]]:
    """The ids of the articles that are compared with these entries, and whether under the keys of this feed."""
    stories = recognition.distinct(entries, pages=())
    found = known_articles.find(session, feed, stories, [])
    return sorted((article.id, article.is_here) for article in found.articles)


def test_a_story_of_many_feeds_is_compared_once_for_this_feed_and_once_for_all_others(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        feeds = [a_feed(session, newsletter, f"town{number}") for number in range(FEEDS)]
        new = [store(session, feed, of_feed(feed.id, "bridge", summary=TEXT)) for feed in feeds]
        assert sum(new) == 1
        article, _ = known(session, feeds[0], of_feed(feeds[0].id, "bridge", summary=TEXT))[0]
        for feed in feeds:
            assert known(session, feed, of_feed(feed.id, "bridge", summary=TEXT)) == [(article, False), (article, True)]


def test_the_link_of_another_feed_is_compared_if_the_document_has_it(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        feeds = [a_feed(session, newsletter, f"town{number}") for number in range(FEEDS)]
        for feed in feeds:
            store(session, feed, of_feed(feed.id, "bridge", summary=TEXT))
        aggregator = a_feed(session, newsletter, "aggregator")
        quoted = of_feed(feeds[3].id, "bridge", identity="other", title="Seen elsewhere", summary="")
        assert store(session, aggregator, quoted) == 0


def test_articles_of_the_same_minute_are_compared_under_the_same_title_only(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        feeds = [a_feed(session, newsletter, f"town{number}") for number in range(FEEDS)]
        for feed in feeds:
            store(session, feed, of_feed(feed.id, f"district {feed.id}"))
        reader = a_feed(session, newsletter, "reader")
        assert known(session, reader, of_feed(0, "bridge")) == []
        named = of_feed(0, "bridge", title=f"ABOUT district: {feeds[3].id}!")
        assert len(known(session, reader, named)) == 1
