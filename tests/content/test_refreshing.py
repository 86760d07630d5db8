"""Feeds: added, claimed by one worker, refreshed, and retried after failures."""

from datetime import timedelta
from threading import Barrier, Event, Thread

import pytest
from sqlalchemy import select

from newsletter.allowed_hosts import AllowedHost
from newsletter.content import refreshing
from newsletter.content.articles.articles import Article
from newsletter.content.downloading.downloader import DirectDownloader, DownloadCancelled, FeedDownload
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feed_attempts import INTERVAL, MAX_INTERVAL, SPREAD
from newsletter.content.feeds.feeds import LEASE_DURATION, Feed
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.http import HttpFetcher
from newsletter.content.parsing.parser import parse
from newsletter.errors import Malformed
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, downloads
from tests.local_http import LocalHttp
from tests.waiting import eventually

TOWN = "https://press.example/town.xml"


def rss(*names: str, title: str = "Town news") -> bytes:
    items = "".join(f"<item><title>{name}</title><link>/{name}</link></item>" for name in names)
    return f"<rss version='2.0'><channel><title>{title}</title>{items}</channel></rss>".encode()


class HangingDownloader(DirectDownloader):
    """A downloader of feeds with one article; those whose name says so hang until the test lets them end."""

    def __init__(self, ended: Event) -> None:
        self._ended = ended

    def feed(self, url: str, **validators) -> FeedDownload:
        if "hanging" in url:
            self._ended.wait(60)
        return FeedDownload(url=url, feed=parse(rss(url.rpartition("/")[2]), url=url))


def feed_row(begin, url: str = TOWN) -> Feed:
    with begin() as session:
        return session.scalars(select(Feed).where(Feed.url == url)).one()


def titles(begin) -> list[str]:
    with begin() as session:
        return sorted(session.scalars(select(Article.title)))


def test_a_refresh_stores_the_feed_s_articles(begin):
    with begin() as session:
        a_feed(session, a_newsletter(session))
    downloader = downloads({TOWN: rss("bus", "bridge")}, {TOWN: '"1"'})
    assert refreshing.refresh_due(begin, downloader, now=NOON) == 1
    feed = feed_row(begin)
    assert titles(begin) == ["bridge", "bus"]
    assert (feed.title, feed.etag, feed.error, feed.checked_at) == ("Town news", '"1"', None, NOON)
    assert NOON + INTERVAL * (1 - SPREAD) <= feed.next_try_at <= NOON + INTERVAL


def test_a_feed_is_not_fetched_before_its_interval_is_over(begin):
    with begin() as session:
        a_feed(session, a_newsletter(session))
    downloader = downloads({TOWN: rss("bus")})
    assert refreshing.refresh_due(begin, downloader, now=NOON) == 1
    assert refreshing.refresh_due(begin, downloader, now=NOON + INTERVAL * (1 - SPREAD) - timedelta(seconds=1)) == 0
    assert refreshing.refresh_due(begin, downloader, now=NOON + INTERVAL) == 1


def test_an_unchanged_feed_keeps_its_title_and_validators(begin):
    with begin() as session:
        a_feed(session, a_newsletter(session))
    downloader = downloads({TOWN: rss("bus")}, {TOWN: '"1"'})
    refreshing.refresh_due(begin, downloader, now=NOON)
    refreshing.refresh_due(begin, downloader, now=NOON + INTERVAL)
    feed = feed_row(begin)
    assert (feed.title, feed.etag, feed.checked_at) == ("Town news", '"1"', NOON + INTERVAL)


def test_a_failing_feed_stores_the_reason_and_does_not_affect_others(begin):
    bombs = {
        "gone": FetchError("The server answered 404 Not Found."),
        "page": b"<!doctype html><html>",
        "empty": b"",
        "picture": b"\x89PNG\r\n",
        "bug": ZeroDivisionError("a bug in the parser"),
    }
    with begin() as session:
        newsletter = a_newsletter(session)
        for name in [*bombs, "town"]:
            a_feed(session, newsletter, name)
    answers = {f"https://press.example/{name}.xml": answer for name, answer in bombs.items()}
    assert refreshing.refresh_due(begin, downloads({**answers, TOWN: rss("bus")}), now=NOON) == 6
    assert titles(begin) == ["bus"]
    errors = {name: feed_row(begin, f"https://press.example/{name}.xml").error for name in bombs}
    assert errors == {
        "gone": "The server answered 404 Not Found.",
        "page": "This is a web page, not a feed. Look on the page for the address of its feed.",
        "empty": "The document is neither XML nor a JSON Feed.",
        "picture": "The document is neither XML nor a JSON Feed.",
        "bug": "An internal error occurred while reading the feed; see the log.",
    }


def test_the_interval_grows_with_each_failure_until_a_success(begin):
    with begin() as session:
        a_feed(session, a_newsletter(session))
    now, waits = NOON, []
    for _ in range(9):
        refreshing.refresh_due(begin, downloads(), now=now)
        waits.append(feed_row(begin).next_try_at - now)
        now += waits[-1]
    assert [round(wait / waits[0], 3) for wait in waits[:4]] == [1, 2, 4, 8]
    assert MAX_INTERVAL * (1 - SPREAD) <= waits[-1] <= MAX_INTERVAL
    refreshing.refresh_due(begin, downloads({TOWN: rss("bus")}), now=now)
    feed = feed_row(begin)
    assert (feed.failures, feed.error, feed.next_try_at - now) == (0, None, waits[0])


def test_a_feed_without_a_title_is_named_by_its_host(begin):
    with begin() as session:
        a_feed(session, a_newsletter(session)).title = ""
    refreshing.refresh_due(begin, downloads({TOWN: rss("bus", title="")}), now=NOON)
    assert feed_row(begin).title == "press.example"


def test_feeds_are_refreshed_over_http(begin, site: LocalHttp):
    good = site.put("/good.xml", rss("bus"), etag='"1"')
    bad = [
        site.put("/private.xml", status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}),
        site.put("/loop.xml", status=302, headers={"Location": "/loop.xml"}),
        site.put("/large.xml", b"x" * 10_000_000),
        site.url("/missing.xml"),
        "http://localhost:1/feed.xml",
    ]
    with begin() as session:
        newsletter = a_newsletter(session)
        for url in [good, *bad]:
            feeds.add(session, newsletter, url, actor="tests", now=NOON)
    refreshing.refresh_due(
        begin, DirectDownloader(HttpFetcher(allow=[AllowedHost.parse(f"127.0.0.1:{site.port}")])), now=NOON
    )
    assert titles(begin) == ["bus"]
    assert [feed_row(begin, url).error for url in bad] == [
        "169.254.169.254 is not a public address.",
        "The URL redirects more than 5 times.",
        "The response is larger than 5 MB.",
        "The server answered 404 Not Found.",
        "localhost resolves to 127.0.0.1, which is not a public address.",
    ]


def test_a_claimed_feed_is_not_claimed_again_before_its_lease_ends(begin):
    with begin() as session:
        a_feed(session, a_newsletter(session))
        assert len(feeds.claim_due(session, now=NOON, limit=5)) == 1
        assert feeds.claim_due(session, now=NOON + LEASE_DURATION / 2, limit=5) == []
        assert len(feeds.claim_due(session, now=NOON + LEASE_DURATION, limit=5)) == 1


@pytest.mark.parametrize("column", ["paused_at", "removed_at"])
def test_a_paused_or_removed_feed_is_not_claimed(begin, column):
    with begin() as session:
        setattr(a_feed(session, a_newsletter(session)), column, NOON)
        assert feeds.claim_due(session, now=NOON, limit=5) == []


def test_feeds_that_exceeded_a_limit_are_claimed_a_few_at_a_time(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for number in range(4):
            a_feed(session, newsletter, f"costly{number}").overruns = 1
            a_feed(session, newsletter, f"sound{number}")
        session.flush()
        claimed = feeds.claim_due(session, now=NOON, limit=4, costly=1)
        assert sorted(due.overruns for due in claimed) == [0, 0, 0, 1]
        assert [due.overruns for due in feeds.claim_due(session, now=NOON, limit=9, costly=0)] == [0]


def test_a_feed_that_hangs_delays_no_other_and_is_recorded_when_it_ends(begin):
    """Ten feeds hang, more than are read at the same time; they go on after the call that began them."""
    ended = Event()
    names = [f"hanging{number}" for number in range(10)] + [f"sound{number}" for number in range(20)]
    with begin() as session:
        newsletter = a_newsletter(session)
        for name in names:
            a_feed(session, newsletter, name)
    slots = refreshing.slots()

    def number_of_articles() -> int:
        refreshing.refresh_due(begin, HangingDownloader(ended), now=NOON, shared=slots, seconds=1.0)
        return len(titles(begin))

    eventually(lambda: number_of_articles() == 20)  # a busy machine may need several calls
    ended.set()
    assert slots.wait(60)
    assert number_of_articles() == 30


def test_a_cancelled_download_leaves_its_feed_due(begin):
    with begin() as session:
        a_feed(session, a_newsletter(session))
    refreshing.refresh_due(begin, downloads({TOWN: DownloadCancelled()}), now=NOON, limit=1)
    feed = feed_row(begin)
    assert (feed.next_try_at, feed.error, feed.checked_at) == (NOON, None, None)


def test_two_workers_never_claim_the_same_feed(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for number in range(20):
            a_feed(session, newsletter, f"feed{number}")
    together, claimed = Barrier(2), []

    def claim() -> None:
        together.wait()
        with begin() as session:
            claimed.extend(due.id for due in feeds.claim_due(session, now=NOON, limit=15))

    workers = [Thread(target=claim) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(claimed) == len(set(claimed)) >= 15


@pytest.mark.parametrize("url", ["", "ftp://press.example/", "javascript:alert(1)", "http://", "/feed"])
def test_a_malformed_address_is_refused(begin, url):
    with begin() as session, pytest.raises(Malformed) as caught:
        feeds.add(session, a_newsletter(session), url, actor="tests", now=NOON)
    assert caught.value.field == "url"


@pytest.mark.parametrize(
    "url", ["https://ann:hush@press.example/", "HTTP://hush@press.example", " ftp://ann:hush@x/", "http://:hush@["]
)
def test_an_address_with_a_password_is_refused_without_repeating_it(begin, url):
    with begin() as session:
        with pytest.raises(Malformed, match="Remove the user name and password") as caught:
            feeds.add(session, a_newsletter(session), url, actor="tests", now=NOON)
        assert "hush" not in str(caught.value)
        assert feeds.every(session) == []


def test_an_at_sign_in_the_path_of_an_address_is_allowed(begin):
    with begin() as session:
        feed = feeds.add(session, a_newsletter(session), "https://press.example/@ann?of=a@b", actor="tests", now=NOON)
        assert feed.url == "https://press.example/@ann?of=a@b"


def test_a_newsletter_cannot_add_a_feed_twice(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_feed(session, newsletter)
        a_feed(session, a_newsletter(session, "evening"))
        with pytest.raises(Malformed, match="already"):
            a_feed(session, newsletter)
        assert [(feed.url, reader.slug) for feed, reader in feeds.every(session)] == [
            (TOWN, "evening"),
            (TOWN, "morning"),
        ]
