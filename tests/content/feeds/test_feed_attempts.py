"""What an attempt at a feed stores: when it is tried again, why it failed and whose fault it is, and where it moved."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from newsletter import audit_log
from newsletter.allowed_hosts import AllowedHost
from newsletter.content import refreshing
from newsletter.content.articles.articles import Article
from newsletter.content.downloading.downloader import DirectDownloader, DownloadInterrupted, FeedDownload, LimitExceeded
from newsletter.content.feeds import feed_attempts, feeds
from newsletter.content.feeds.feed_attempts import INTERVAL, SPREAD, FeedAttempt
from newsletter.content.feeds.feeds import Feed
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.http import HttpFetcher
from tests.clock import NOON
from tests.content.builders import FakeFetcher, a_feed, a_newsletter, downloads
from tests.local_http import LocalHttp

TOWN = "https://press.example/town.xml"
DAY = timedelta(days=1)
MONDAY = "Mon, 02 Mar 2026 10:00:00 GMT"
PAGE = b"<!DOCTYPE html><html><title>Welcome</title></html>"


def rss(*names: str) -> bytes:
    items = "".join(f"<item><title>{name}</title><link>/{name}</link></item>" for name in names)
    return f"<rss version='2.0'><channel><title>Town news</title>{items}</channel></rss>".encode()


def stored(begin, feed_id: int) -> Feed:
    with begin() as session:
        return session.get_one(Feed, feed_id)


def titles(begin) -> set[str]:
    with begin() as session:
        return set(session.scalars(select(Article.title)))


@pytest.fixture
def town(begin) -> int:
    """A feed that was never read."""
    with begin() as session:
        return a_feed(session, a_newsletter(session)).id


@pytest.fixture
def at_town(begin, town) -> Callable[..., Feed]:
    """Try the feed once with an answer; return its row."""

    def attempt(answer: bytes | Exception, *, now: datetime = NOON, etag: str = '"1"') -> Feed:
        with begin() as session:
            session.get_one(Feed, town).next_try_at = now
        refreshing.refresh_due(begin, downloads({TOWN: answer}, {TOWN: etag}), now=now)
        return stored(begin, town)

    return attempt


@pytest.fixture
def refresh(begin, site: LocalHttp) -> Callable[..., Feed]:
    """Refresh a feed of the local site over HTTP, whether it is due or not; return its row."""

    def over_http(feed_id: int, *, now: datetime = NOON) -> Feed:
        with begin() as session:
            session.get_one(Feed, feed_id).next_try_at = now
        fetcher = HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")], now=lambda: now)
        refreshing.refresh_due(begin, DirectDownloader(fetcher), now=now)
        return stored(begin, feed_id)

    return over_http


@pytest.fixture
def added(begin) -> Callable[..., int]:
    """Add a feed with an address to a newsletter; return its id."""

    def add(url: str, *, slug: str = "morning") -> int:
        with begin() as session:
            return feeds.add(session, a_newsletter(session, slug), url, actor="tests", now=NOON).id

    return add


def conditions(site: LocalHttp) -> list[str | None]:
    """Return the ETag that each request to the feed's path sent."""
    return [headers.get("if-none-match") for path, headers in site.requests if path == "/feed"]


def test_the_validators_of_a_304_are_sent_next_time(site: LocalHttp, refresh, added):
    feed = added(site.put("/feed", rss("bus"), headers={"ETag": '"v1"', "Last-Modified": MONDAY}))
    refresh(feed)
    site.put("/feed", status=304, headers={"ETag": '"v2"'})
    unchanged = refresh(feed, now=NOON + INTERVAL)
    assert (unchanged.etag, unchanged.last_modified, unchanged.error) == ('"v2"', MONDAY, None)
    refresh(feed, now=NOON + INTERVAL * 2)
    assert conditions(site) == [None, '"v1"', '"v2"']


def test_a_304_without_validators_keeps_the_known_ones(site: LocalHttp, refresh, added):
    feed = added(site.put("/feed", rss("bus"), headers={"ETag": '"v1"'}))
    refresh(feed)
    site.put("/feed", status=304)
    assert refresh(feed, now=NOON + INTERVAL).etag == '"v1"'


class CuttingDownloader(DirectDownloader):
    """A downloader whose documents are cut off."""

    def feed(self, url: str, **validators) -> FeedDownload:
        download = super().feed(url, **validators)
        return replace(download, feed=replace(download.feed, is_complete=False))


def test_a_document_that_is_cut_off_keeps_no_validators(begin, town):
    downloader = CuttingDownloader(FakeFetcher({TOWN: rss("bus")}, {TOWN: '"1"'}))
    refreshing.refresh_due(begin, downloader, now=NOON)
    cut = stored(begin, town)
    assert (cut.etag, cut.read_at, cut.error) == (None, None, None)
    assert titles(begin) == {"bus"}


def test_an_etag_beyond_ascii_is_stored_and_sent_back_as_it_came(site: LocalHttp, refresh, added):
    feed = added(site.put("/feed", rss("bus"), headers={"ETag": '"v1-\xe4\xff\x85"'}))
    refresh(feed)
    assert refresh(feed, now=NOON + INTERVAL).error is None
    assert conditions(site) == [None, '"v1-\xe4\xff\x85"']


def test_a_feed_that_answers_304_for_ever_is_asked_in_full_once_a_day(site: LocalHttp, refresh, added, begin):
    feed = added(site.put("/feed", rss("bus"), etag='"same"'))
    refresh(feed)
    site.put("/feed", rss("bus", "bridge"), etag='"same"')
    assert refresh(feed, now=NOON + DAY - INTERVAL).read_at == NOON
    assert titles(begin) == {"bus"}
    assert refresh(feed, now=NOON + DAY).read_at == NOON + DAY
    assert titles(begin) == {"bus", "bridge"}
    assert conditions(site) == [None, '"same"', None]


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:00 GMT", "Tue, 19 Jan 2038 03:14:07 GMT"])
def test_a_date_that_nobody_believes_does_not_hide_new_entries(site: LocalHttp, refresh, added, date):
    feed = added(site.put("/feed", rss("bus"), headers={"Last-Modified": date}))
    refresh(feed)
    assert refresh(feed, now=NOON + INTERVAL).read_at == NOON + INTERVAL
    assert "if-modified-since" not in site.requests[-1][1]


def test_a_feed_without_validators_is_read_by_the_next_request_after_a_bug_of_ours(at_town):
    assert at_town(rss("bus")).etag == '"1"'
    broken = at_town(ZeroDivisionError("a bug"), now=NOON + INTERVAL)
    assert (broken.etag, broken.failures, broken.overruns) == (None, 0, 0)
    assert broken.error == "An internal error occurred while reading the feed; see the log."
    assert broken.next_try_at <= NOON + INTERVAL * 2
    assert at_town(rss("bus"), now=NOON + INTERVAL * 2).error is None


class UnstorableDownloader(DirectDownloader):
    """A downloader whose entries have titles that no database stores, which only a bug of ours can cause."""

    def feed(self, url: str, **validators) -> FeedDownload:
        download = super().feed(url, **validators)
        entries = tuple(replace(entry, title="\ud800") for entry in download.feed.entries)
        return replace(download, feed=replace(download.feed, entries=entries))


def test_a_feed_that_cannot_be_stored_is_told_as_our_error_and_the_others_go_on(begin, town):
    with begin() as session:
        other = a_feed(session, a_newsletter(session, "evening"), "other").id
    downloader = UnstorableDownloader(FakeFetcher({TOWN: rss("bus"), "https://press.example/other.xml": rss()}))
    refreshing.refresh_due(begin, downloader, now=NOON)
    broken = stored(begin, town)
    assert broken.error == "An internal error occurred while reading the feed; see the log."
    assert (broken.failures, broken.title, broken.read_at) == (0, "Town", None)
    assert broken.next_try_at > NOON
    assert stored(begin, other).error is None


def test_an_interrupted_download_is_no_failure_of_the_feed(at_town):
    at_town(rss("bus"))
    interrupted = at_town(DownloadInterrupted("The worker was stopped."), now=NOON + INTERVAL)
    assert (interrupted.failures, interrupted.overruns, interrupted.etag) == (0, 0, '"1"')
    assert interrupted.error == (
        "This service could not finish reading the feed, which is not the feed's fault: The worker was stopped."
        " It tries again soon."
    )
    assert interrupted.next_try_at <= NOON + INTERVAL * 2


def test_a_feed_that_exceeds_a_limit_waits_longer_each_time_and_says_why(at_town):
    now, waits, last = NOON, [], None
    for _ in range(7):
        last = at_town(LimitExceeded("The document takes more than 5 seconds to read."), now=now)
        waits.append(last.next_try_at - now)
        now = last.next_try_at
    assert [wait / timedelta(hours=1) for wait in waits] == [2, 4, 8, 16, 32, 48, 48]
    assert last.overruns == 7
    assert last.error == (
        f"The document takes more than 5 seconds to read. The next try is at {now:%H:%M} UTC on {now:%Y-%m-%d}."
    )
    assert at_town(rss("bus"), now=now).overruns == 0


@pytest.mark.parametrize(
    ("asked", "wait"),
    [(timedelta(hours=3), timedelta(hours=3)), (timedelta(seconds=1), None), (timedelta(0), None), (None, None)],
)
def test_a_feed_is_not_asked_before_the_pause_that_its_server_asks_for(at_town, asked, wait):
    usual = at_town(FetchError("The server answered 503 Service Unavailable.")).next_try_at - NOON
    at_town(rss("bus"))
    paused = at_town(FetchError("The server answered 503 Service Unavailable.", retry_after=asked))
    assert paused.next_try_at - NOON == (wait or usual)


def test_a_failing_feed_says_since_when(at_town):
    fails = FetchError("This address answers with 404.")
    assert at_town(fails).failing_since == NOON
    assert at_town(fails, now=NOON + DAY).failing_since == NOON
    assert at_town(rss("a"), now=NOON + 2 * DAY).failing_since is None
    assert at_town(fails, now=NOON + 3 * DAY).failing_since == NOON + 3 * DAY


def test_an_error_at_a_feed_that_worked_says_when_it_was_last_read(at_town):
    at_town(rss("bus"))
    later = NOON + DAY
    assert at_town(FetchError("The server answered 404 Not Found."), now=later).error == (
        "The server answered 404 Not Found. The feed was last read on 2026-03-14."
    )
    assert at_town(PAGE, now=later).error == (
        "This is a web page, not a feed. Look on the page for the address of its feed. The feed was last read on"
        " 2026-03-14. Its publisher may have moved it or closed it to robots."
    )


@pytest.mark.parametrize("reason", ["with \x00 and \ud800", "x" * 10_000, "two\nlines"])
def test_an_error_with_any_text_can_be_stored(at_town, reason):
    failed = at_town(FetchError(f"The server could not be reached: {reason}"))
    assert failed.error.startswith("The server could not be reached:")
    assert len(failed.error) <= 500
    assert failed.error.isprintable()


def test_feeds_that_were_added_together_come_due_apart(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for number in range(40):
            a_feed(session, newsletter, f"feed{number}")
    with begin() as session:
        for each in feeds.claim_due(session, now=NOON, limit=40):
            unchanged = FeedAttempt(download=FeedDownload(url=each.url))
            feed_attempts.record(session, each, unchanged, now=NOON)
        due = sorted(session.scalars(select(Feed.next_try_at)))
    assert NOON + INTERVAL * (1 - SPREAD) <= due[0] < due[-1] <= NOON + INTERVAL
    assert max(later - earlier for earlier, later in pairwise(due)) < timedelta(seconds=10)


def test_a_moved_feed_takes_its_new_address(site: LocalHttp, refresh, added, begin):
    feed = added(site.put("/old", status=301, headers={"Location": "/hop"}))
    site.put("/hop", status=308, headers={"Location": "/new"})
    new = site.put("/new", rss("bus"), etag='"1"')
    moved = refresh(feed)
    assert (moved.url, moved.etag, moved.error) == (new, '"1"', None)
    with begin() as session:
        entry = audit_log.last(session, subject=f"feed:{feed}", verb="feed moved")
        assert entry.fields == {"old": site.url("/old"), "new": new}
    refresh(feed, now=NOON + INTERVAL)
    assert [path for path, _ in site.requests] == ["/old", "/hop", "/new", "/new"]
    assert titles(begin) == {"bus"}


def test_a_feed_that_moved_for_now_keeps_its_address(site: LocalHttp, refresh, added):
    old = site.put("/old", status=302, headers={"Location": "/new"})
    site.put("/new", rss("bus"))
    assert refresh(added(old)).url == old


@pytest.mark.parametrize(
    "reply", [{"body": PAGE}, {"body": b"<html><input type=password></html>"}, {"status": 404}, {"body": b""}]
)
def test_a_feed_does_not_move_to_what_is_no_feed(site: LocalHttp, refresh, added, reply):
    old = site.put("/old", status=301, headers={"Location": "/new"})
    site.put("/new", **reply)
    kept = refresh(added(old))
    assert kept.url == old
    assert kept.error


def test_a_feed_does_not_move_to_the_address_of_another_and_says_so(site: LocalHttp, refresh, added, begin):
    old = site.put("/old", status=301, headers={"Location": "/new"})
    new = site.put("/new", rss("bus"), etag='"1"')
    feed = added(old)
    with begin() as session:
        newsletter = session.get_one(Feed, feed).newsletter_id
        other = Feed(newsletter_id=newsletter, url=f"{new}/", added_at=NOON, next_try_at=NOON + DAY)
        session.add(other)
    kept = refresh(feed)
    assert (kept.url, kept.failures, kept.read_at) == (old, 0, NOON)
    assert kept.error == (
        f"The feed has moved to {new}/, which this newsletter reads as feed {other.id}. Remove one of the two."
    )
    unchanged = refresh(feed, now=NOON + INTERVAL)
    assert (unchanged.error, unchanged.read_at) == (kept.error, NOON)
    with begin() as session:
        session.get_one(Feed, other.id).removed_at = NOON
    assert "an address that was removed" in refresh(feed, now=NOON + DAY / 2).error


def test_two_newsletters_may_follow_the_same_move(site: LocalHttp, refresh, added):
    old = site.put("/old", status=301, headers={"Location": "/new"})
    new = site.put("/new", rss("bus"))
    both = added(old), added(old, slug="evening")
    refresh(both[0])
    assert refresh(both[1]).url == new


def test_the_result_for_an_old_address_is_not_stored_for_a_new_one(begin, town):
    with begin() as session:
        [due] = feeds.claim_due(session, now=NOON, limit=1)
        session.get_one(Feed, town).url = "https://press.example/new.xml"
    attempt = feed_attempts.attempt(downloads({TOWN: rss("bus")}, {TOWN: '"old"'}), due, now=NOON)
    with begin() as session:
        assert feed_attempts.record(session, due, attempt, now=NOON) is None
    assert (stored(begin, town).etag, stored(begin, town).checked_at) == (None, None)
