"""Articles: stored once per feed, edited in place, and frozen in an approved issue."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from newsletter.content.articles import articles
from newsletter.content.articles.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.issues import approvals, issues
from newsletter.content.parsing.entries import LeadPicture
from newsletter.content.parsing.parser import parse
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish, store

LATER = NOON + timedelta(hours=1)


def titles(session) -> list[str]:
    return list(session.scalars(select(Article.title).order_by(Article.published_at.desc(), Article.id.desc())))


def test_an_entry_offered_again_stays_one_article(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        assert publish(session, feed, "bus", "bridge") == 2
        assert publish(session, feed, "orchard", "bus", "bridge", now=LATER) == 1
        assert titles(session) == ["About orchard", "About bus", "About bridge"]


def test_the_same_entry_in_feeds_of_two_newsletters_is_two_articles(begin):
    with begin() as session:
        assert publish(session, a_feed(session, a_newsletter(session, "morning")), "bus") == 1
        assert publish(session, a_feed(session, a_newsletter(session, "evening")), "bus") == 1


def test_the_database_refuses_a_duplicate_article(begin):
    with begin() as session:
        publish(session, a_feed(session, a_newsletter(session)), "bus")
        (row,) = session.execute(select(Article.__table__)).mappings().all()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(Article.__table__).values({**row, "id": row["id"] + 1}))


def test_an_edited_entry_updates_the_article_and_keeps_its_date(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        publish(session, feed, "bus", published_at=NOON - timedelta(days=1))
        assert publish(session, feed, "bus", title="The bus waits", published_at=NOON, now=LATER) == 0
        article = session.scalars(select(Article)).one()
        assert (article.title, article.edited_at) == ("The bus waits", LATER)
        assert (article.published_at, article.first_seen_at) == (NOON - timedelta(days=1), NOON)


def test_an_unchanged_entry_does_not_edit_the_article(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        publish(session, feed, "bus", categories=("Town",))
        publish(session, feed, "bus", categories=("Town",), now=LATER)
        assert session.scalars(select(Article.edited_at)).one() is None


def test_a_changed_picture_is_fetched_again(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        publish(session, feed, "bus", pictures=(LeadPicture(url="https://press.example/a.png"),))
        article = session.scalars(select(Article)).one()
        article.picture_tried_at = NOON
        publish(session, feed, "bus", pictures=(LeadPicture(url="https://press.example/b.png"),), now=LATER)
        assert (article.picture_url, article.picture_tried_at) == ("https://press.example/b.png", None)


def test_an_article_in_an_approved_issue_is_not_edited_any_more(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "bus")
        issue = drafting.draft(session, newsletter, articles=5, actor="tests", now=NOON)
        publish(session, feed, "bus", title="The bus waits")
        assert titles(session) == ["The bus waits"]
        approvals.approve(session, issue, actor="tests", now=NOON)
        publish(session, feed, "bus", "orchard", title="The bus is late")
        assert sorted(titles(session)) == ["The bus is late", "The bus waits"]
        assert issues.content_hash(session, issue) == issue.approved_sha


def test_a_date_in_the_future_is_kept_and_may_be_corrected_until_it_comes(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        soon = NOON + timedelta(days=3)
        for date, now, stored in (
            (NOON + timedelta(days=365), NOON, NOON + timedelta(days=365)),
            (None, LATER, NOON + timedelta(days=365)),
            (soon, LATER, soon),
            (soon - timedelta(days=2), soon, soon),
        ):
            publish(session, feed, "fair", published_at=date, now=now)
            assert session.scalars(select(Article.published_at)).one() == stored


def test_a_date_that_a_wrong_clock_puts_into_the_future_is_the_time_of_discovery(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        publish(session, feed, "bus", published_at=NOON + timedelta(hours=23))
        assert session.scalars(select(Article.published_at)).one() == NOON


def test_characters_that_a_database_refuses_are_removed_before_it(begin):
    odd = {"id": "x" * 5000, "title": "a\x00b\ud800c 𝄞", "content_html": "<p>\x00\ud800</p>", "url": "/" + "é" * 500}
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [odd]}).encode()
    entries = parse(body, url="https://press.example/feed.json").entries
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        assert store(session, feed, *entries) == 1
        assert titles(session) == ["a b c 𝄞"]


def test_articles_are_counted(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed, empty = a_feed(session, newsletter), a_feed(session, newsletter, "empty")
        publish(session, feed, "bus", "bridge")
        publish(session, feed, "orchard", now=LATER)
        ids = [feed.id, empty.id]
        assert articles.counts(session, ids) == {feed.id: 3, empty.id: 0}
        assert articles.counts(session, ids, since=LATER) == {feed.id: 1, empty.id: 0}


def test_whether_the_whole_text_is_known_follows_the_feed_and_is_no_edit(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        publish(session, feed, "bus")
        article = session.scalars(select(Article)).one()
        article.has_whole_text = None  # as the release before stored it
        publish(session, feed, "bus", has_whole_text=True, now=NOON + timedelta(hours=1))
        assert (article.has_whole_text, article.edited_at) == (True, None)
