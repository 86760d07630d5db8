"""What a feed has brought is read without reading the archive."""

from sqlalchemy import text

from newsletter.content.articles import offered_articles
from newsletter.content.feeds.feeds import Feed
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish
from tests.query_plans import rows_read

MORE = text(
    "INSERT INTO articles (feed_id, identity, url, title, summary, html, has_whole_text, author, categories, "
    "picture_alt, published_at, first_seen_at, pictures) SELECT feed_id, identity || n, url || n, title, summary, "
    "html, has_whole_text, author, categories, picture_alt, published_at - n * interval '1 hour', first_seen_at, "
    "pictures FROM articles, generate_series(1, 5000) n"
)


def test_the_newest_articles_of_a_feed_are_found_without_reading_the_others(postgresql_database):
    with postgresql_database.writing() as session:
        feed = a_feed(session, a_newsletter(session))
        publish(session, feed, "bus", now=NOON)
        session.execute(MORE)
    with postgresql_database.autocommit() as connection:
        connection.execute(text("ANALYZE articles"))
    with postgresql_database.writing() as session:
        before = rows_read(session, "articles")
        shown = offered_articles.newest(session, session.get_one(Feed, feed.id), limit=10, now=NOON)
        assert len(shown) == 10
        assert rows_read(session, "articles") - before < 200
