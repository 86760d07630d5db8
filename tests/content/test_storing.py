"""Storing documents: one article for one story, edits before approval, withdrawals."""

from datetime import timedelta
from email.utils import format_datetime
from threading import Barrier, Thread

import pytest
from sqlalchemy import delete, select

from newsletter import audit_log
from newsletter.content import refreshing
from newsletter.content.articles import appearances, offered_articles
from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.feeds.feed_attempts import INTERVAL
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import approvals, issues
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from tests import statements
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, an_entry, downloads, publish, store

HOUR = timedelta(hours=1)
PRESS = "https://press.example"
TEXT = "The new bridge opens on Saturday. Everybody may walk across it."


def an_item(name: str, *, guid: str = "", link: str = "", title: str = "", hours: int = 1, text: str = TEXT) -> str:
    """An item of a feed, published that many hours before NOON."""
    date = format_datetime(NOON - hours * HOUR)
    return (
        f"<item><title>{title or f'About {name}'}</title><link>{link or f'{PRESS}/{name}'}</link>"
        f"<guid isPermaLink='false'>{guid or name}</guid><pubDate>{date}</pubDate>"
        f"<description>{text}</description></item>"
    )


def rss(*items: str) -> bytes:
    channel = f"<title>Town</title><link>{PRESS}/</link>{''.join(items)}"
    return f"<rss version='2.0'><channel>{channel}</channel></rss>".encode()


@pytest.fixture
def newsletter(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_feed(session, newsletter)
    return newsletter


@pytest.fixture
def refresh(begin):
    """A function that refreshes the feed with these documents, one after the other."""
    times = iter(range(1000))

    def refresh(*documents: bytes, name: str = "town") -> None:
        for document in documents:
            now = NOON + next(times) * INTERVAL
            refreshing.refresh_due(begin, downloads({f"{PRESS}/{name}.xml": document}), now=now)

    return refresh


@pytest.fixture
def draft(begin, newsletter):
    def draft(**options) -> int:
        with begin() as session:
            return drafting.draft(session, newsletter, articles=9, actor="tests", now=NOON + HOUR, **options).id

    return draft


def titles(begin) -> list[str]:
    with begin() as session:
        return list(session.scalars(select(Article.title).order_by(Article.id)))


def shown(begin, issue_id: int) -> tuple[str, str, list[str]]:
    """An issue's status, subject and articles."""
    with begin() as session:
        issue = session.get_one(Issue, issue_id)
        return issue.status.value, issue.title, [article.title for article in issues.edition(session, issue).articles]


@pytest.mark.parametrize(
    "changed",
    [
        an_item("bridge", guid="https://press.example/?p=1", link="https://press.example/bridge"),
        an_item("bridge", guid="urn:uuid:2"),
        an_item("bridge", guid="urn:uuid:2", link=f"{PRESS}/bridge/?utm_source=rss&amp;utm_medium=feed"),
        an_item("bridge", guid="http://press.example/?p=1", link=f"{PRESS}/bridge-opens"),
        an_item("bridge", guid="http://new.example/?p=1", link="http://new.example/bridge"),
    ],
)
def test_a_story_stays_one_article_whatever_its_feed_changes(begin, newsletter, refresh, changed):
    first = an_item("bridge", guid="http://press.example/?p=1", link="http://press.example/bridge")
    refresh(rss(first), rss(changed), rss(first), rss(changed))
    assert titles(begin) == ["About bridge"]


def test_entries_that_share_an_id_are_each_an_article_once(begin, newsletter, refresh):
    three = [an_item(name, guid="http://press.example/", hours=n) for n, name in enumerate("abc")]
    refresh(rss(*three), rss(*three), rss(an_item("d", guid="http://press.example/", hours=0), *three))
    assert titles(begin) == ["About c", "About b", "About a", "About d"]


def test_an_id_that_names_another_story_the_next_day_gives_another_article(begin, newsletter, refresh):
    refresh(rss(an_item("bus", guid="1", hours=30), an_item("train", guid="2", hours=31)))
    refresh(rss(an_item("bridge", guid="1"), an_item("bus", guid="2", hours=30)))
    refresh(rss(an_item("orchard", guid="1", hours=0), an_item("bridge", guid="2")))
    assert titles(begin) == ["About train", "About bus", "About bridge", "About orchard"]


def test_a_story_in_two_feeds_of_a_newsletter_is_one_article(begin, newsletter, refresh, draft):
    with begin() as session:
        a_feed(session, newsletter, "transport")
    for name in ("town", "transport"):
        refresh(rss(an_item("bridge", guid=name)), name=name)
    assert shown(begin, draft())[2] == ["About bridge"]
    with begin() as session:
        assert len(session.scalars(select(Appearance)).all()) == 2


def test_a_feed_counts_what_another_feed_brought_first(begin, newsletter):
    with begin() as session:
        first, second = session.scalars(select(Feed)).one(), a_feed(session, newsletter, "country")
        store(session, first, an_entry("bus"), an_entry("bridge"))
        assert store(session, second, an_entry("bus"), an_entry("orchard")) == 1
        assert offered_articles.counts(session, [first.id, second.id]) == {first.id: 2, second.id: 2}


def test_two_workers_that_store_a_story_at_once_make_one_article(begin, newsletter):
    with begin() as session:
        feed_ids = [a_feed(session, newsletter, f"feed{n}").id for n in range(2)]
    together, new = Barrier(2), []

    def work(feed_id: int) -> None:
        together.wait()
        with begin() as session:
            feed = session.get_one(Feed, feed_id, with_for_update=True)
            new.append(store(session, feed, an_entry("bridge", identity=f"g{feed_id}")))

    workers = [Thread(target=work, args=(feed_id,)) for feed_id in feed_ids]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(new) == [0, 1]


def test_another_feed_s_version_does_not_edit_the_article(begin, newsletter):
    with begin() as session:
        town, transport = session.scalars(select(Feed)).one(), a_feed(session, newsletter, "transport")
        publish(session, town, "bus")
        publish(session, transport, "bus", html="<p>Shorter.</p>")
        article = session.scalars(select(Article)).one()
        assert (article.html, article.edited_at) == ("<p>All about bus.</p>", None)


def test_an_article_of_a_removed_feed_becomes_that_of_the_feed_that_offers_it(begin, newsletter):
    with begin() as session:
        town, transport = session.scalars(select(Feed)).one(), a_feed(session, newsletter, "transport")
        publish(session, town, "bus", published_at=NOON - HOUR)
        town.removed_at = NOON
        session.flush()
        assert publish(session, transport, "bus", published_at=NOON - HOUR, title="Bus lines") == 0
        article = session.scalars(select(Article)).one()
        assert (article.feed_id, article.title) == (transport.id, "Bus lines")


def test_an_article_that_the_release_before_stored_is_recognized(begin, newsletter, refresh):
    refresh(rss(an_item("bridge"), an_item("bus", hours=2, text="Buses wait until the last train has arrived.")))
    with begin() as session:
        session.execute(delete(Appearance))
    refresh(rss(an_item("bridge", title="The bridge is open"), an_item("bus", hours=2)))
    assert titles(begin) == ["About bus", "The bridge is open"]


def test_an_article_from_before_the_upgrade_is_recognized_by_its_link_and_words(begin, newsletter, refresh):
    refresh(rss(an_item("bridge"), an_item("bus", hours=2, text="Buses wait until the last train has arrived.")))
    with begin() as session:
        for row in session.scalars(select(Appearance)):
            row.link_key = row.text_key = row.seen_at = None
    moved = an_item(
        "bus", guid="new2", link="https://new.example/2", hours=2, text="Buses wait until the last train has arrived."
    )
    refresh(rss(an_item("bridge", guid="new1"), moved))
    assert titles(begin) == ["About bus", "About bridge"]


def test_storing_takes_a_fixed_number_of_statements(database):
    with database.writing() as session:
        feed = a_feed(session, a_newsletter(session))

    def executed(*numbers: int, now=NOON) -> int:
        with statements.executed(database) as done, database.writing() as session:
            entries = [an_entry(f"story{n}", published_at=NOON - n * HOUR) for n in numbers]
            store(session, feed, *entries, now=now)
        return sum("INSERT INTO articles" not in statement for statement in done)  # SQLite inserts them one by one

    first, unchanged = executed(*range(3)), executed(*range(3), now=NOON + HOUR)
    replaced, replaced_again = executed(*range(100, 150)), executed(*range(200, 203))
    assert (unchanged, replaced) == (executed(*range(200, 203), now=NOON + HOUR), replaced_again)
    assert unchanged <= first <= replaced <= 10


def test_an_unchanged_document_writes_nothing(database):
    with database.writing() as session:
        feed = a_feed(session, a_newsletter(session))
        store(session, feed, an_entry("bus"), an_entry("bridge"))
    with statements.executed(database) as done, database.writing() as session:
        store(session, feed, an_entry("bus"), an_entry("bridge"), now=NOON + HOUR)
    assert [statement for statement in done if not statement.lstrip().startswith(("SELECT", "BEGIN"))] == []


def test_a_generated_subject_follows_the_headlines_until_approval(begin, newsletter, refresh, draft):
    refresh(rss(an_item("bridge", title="Brigde opens")))
    issue_id = draft()
    refresh(rss(an_item("bridge", title="Bridge opens")))
    assert shown(begin, issue_id) == ("drafted", "Bridge opens", ["Bridge opens"])
    with begin() as session:
        approvals.approve(session, session.get_one(Issue, issue_id), actor="tests", now=NOON)
    refresh(rss(an_item("bridge", title="The bridge is open")))
    assert shown(begin, issue_id) == ("approved", "Bridge opens", ["Bridge opens"])
    with begin() as session:
        article = session.scalars(select(Article)).one()
        assert article.changed_at == NOON + 2 * INTERVAL
    refresh(rss(an_item("bridge", title="Bridge opens")))
    with begin() as session:
        assert session.scalars(select(Article.changed_at)).one() is None


def test_an_operator_s_subject_does_not_follow_the_headlines(begin, newsletter, refresh, draft):
    refresh(rss(an_item("bridge", title="Brigde opens")))
    issue_id = draft(title="Our bridge")
    refresh(rss(an_item("bridge", title="Bridge opens")))
    assert shown(begin, issue_id)[1:] == ("Our bridge", ["Bridge opens"])


def test_a_withdrawn_article_leaves_a_draft_and_its_subject(begin, newsletter, refresh, draft):
    items = [an_item(name, hours=n) for n, name in enumerate(("bridge", "bus", "orchard"), start=1)]
    refresh(rss(*items))
    issue_id = draft()
    assert shown(begin, issue_id)[1] == "About bridge, and 2 more"
    refresh(rss(*items[1:]))
    assert shown(begin, issue_id) == ("drafted", "About bus, and 1 more", ["About bus", "About orchard"])
    with begin() as session:
        entry = audit_log.last(session, subject=f"issue:{issue_id}", verb="issue articles withdrawn")
        assert entry is not None
        assert entry.actor == audit_log.WORKER
        assert session.scalars(select(Article.title).where(appearances.is_withdrawn_everywhere())).all() == [
            "About bridge"
        ]


def test_a_draft_whose_only_article_is_withdrawn_is_cancelled(begin, newsletter, refresh, draft):
    refresh(rss(an_item("bus", hours=30)))
    issues_before = draft(title="Bus")
    refresh(rss(an_item("bridge"), an_item("bus", hours=30)))
    issue_id = draft()
    refresh(rss(an_item("bus", hours=30)))
    assert shown(begin, issues_before)[0] == "drafted"
    assert shown(begin, issue_id)[0] == "cancelled"
    with begin() as session:
        entry = audit_log.last(session, subject=f"issue:{issue_id}", verb="issue cancelled")
        assert entry is not None
        assert entry.fields == {"reason": "Every article of the issue was withdrawn by its publisher."}


def test_an_approved_issue_keeps_a_withdrawn_article_and_a_warning_is_logged(begin, newsletter, refresh, draft, caplog):
    items = [an_item(name, hours=n) for n, name in enumerate(("bridge", "bus"), start=1)]
    refresh(rss(*items))
    issue_id = draft()
    with begin() as session:
        approvals.approve(session, session.get_one(Issue, issue_id), actor="tests", now=NOON)
    refresh(rss(items[1]))
    assert shown(begin, issue_id)[2] == ["About bridge", "About bus"]
    assert "the publisher of an article in an approved issue has withdrawn it" in caplog.messages


def test_a_withdrawn_article_that_comes_back_is_not_withdrawn_any_more(begin, newsletter, refresh):
    items = [an_item(name, hours=n) for n, name in enumerate(("bridge", "bus"), start=1)]
    refresh(rss(*items), rss(items[1]), rss(*items))
    with begin() as session:
        assert session.scalars(select(Article.id).where(appearances.is_withdrawn_everywhere())).all() == []
        assert session.scalars(select(Appearance.left_at)).all() == [None, None]


def test_an_article_is_withdrawn_only_if_every_feed_withdrew_it(begin, newsletter, refresh, draft):
    with begin() as session:
        a_feed(session, newsletter, "transport")
    items = [an_item(name, hours=n) for n, name in enumerate(("bridge", "bus"), start=1)]
    refresh(rss(*items))
    refresh(rss(*items), name="transport")
    issue_id = draft()
    refresh(rss(items[1]))
    assert len(shown(begin, issue_id)[2]) == 2
    refresh(rss(items[1]), name="transport")
    assert shown(begin, issue_id)[2] == ["About bus"]


@pytest.mark.parametrize("later", [[], ["orchard"], ["bridge"]])
def test_a_document_that_lacks_most_entries_or_is_cut_off_withdraws_nothing(begin, newsletter, later):
    with begin() as session:
        feed = session.scalars(select(Feed)).one()
        names = ["bridge", "bus", "orchard"]
        dates = {name: NOON - n * HOUR for n, name in enumerate(names)}
        store(session, feed, *(an_entry(name, published_at=dates[name]) for name in names))
        issue = drafting.draft(session, newsletter, articles=9, actor="tests", now=NOON)
        store(session, feed, *(an_entry(name, published_at=dates[name]) for name in later), now=NOON + HOUR)
        kept = [an_entry(name, published_at=dates[name]) for name in names if name != "bus"]
        store(session, feed, *kept, now=NOON + HOUR, is_complete=False)
        assert issue.status is IssueStatus.DRAFTED
        assert len(session.scalars(select(IssueArticle)).all()) == 3
