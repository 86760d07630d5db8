"""Lead pictures: copied for recent articles, from the first candidate that is suitable."""

import hashlib
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from newsletter.allowed_hosts import AllowedHost
from newsletter.content import pictures
from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.digests import drafting
from newsletter.content.downloading.downloader import (
    MAX_PICTURE_BYTES,
    DirectDownloader,
    DownloadInterrupted,
    LimitExceeded,
    PictureDownload,
)
from newsletter.content.feeds.feeds import Feed
from newsletter.content.fetching.destinations import FetchError, Forbidden, ServerUnavailable
from newsletter.content.fetching.http import HttpFetcher
from newsletter.content.issues import approvals, issues, transitions
from newsletter.content.parsing.images.picture_candidates import LeadPicture
from newsletter.content.pictures import MAX_AGE
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import FakeFetcher, a_feed, a_newsletter, downloads, publish, with_picture
from tests.content.images import image_file
from tests.local_http import LocalHttp

GOOD, OTHER = image_file(600, 400), image_file(500, 400)
FIRST, SECOND, THIRD = (f"https://press.example/{name}.png" for name in ("first", "second", "third"))
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BUSY = ServerUnavailable("The server answered 503 Service Unavailable.")


def sha(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()


@pytest.fixture
def offered(begin):
    """A function that publishes articles with pictures of these names."""
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))

    def offer(*names: str, now: datetime = NOON) -> None:
        with begin() as session:
            for name in reversed(names):
                publish(session, feed, name, pictures=with_picture(name).pictures, now=now)

    return offer


@pytest.fixture
def candidates(begin):
    """A function that publishes one article with these candidates, or edits it; the alternative is the file's name."""
    with begin() as session:
        a_feed(session, a_newsletter(session))

    def offer(*urls: str, now: datetime = NOON) -> None:
        pictures = tuple(LeadPicture(url=url, alt=url.rpartition("/")[2]) for url in urls)
        with begin() as session:
            publish(session, session.scalars(select(Feed)).one(), "bus", pictures=pictures, now=now)

    return offer


def shown(begin) -> dict[str, str | None]:
    with begin() as session:
        return dict(session.execute(select(Article.title, Article.picture_sha256)).all())


def current(begin) -> tuple[str | None, str | None, str]:
    """Return the only article's copy, and the URL and text alternative of its current candidate."""
    with begin() as session:
        return tuple(session.execute(select(Article.picture_sha256, Article.picture_url, Article.picture_alt)).one())


def test_a_picture_is_stored_under_the_hash_of_its_content(begin, offered):
    offered("bus", "bridge")
    downloader = downloads({"https://press.example/bus.png": GOOD, "https://press.example/bridge.png": GOOD})
    assert pictures.copy_new(begin, downloader, now=NOON) == 2
    assert shown(begin) == {"About bus": sha(GOOD), "About bridge": sha(GOOD)}
    with begin() as session:
        small, kept = session.scalars(select(Picture).order_by(Picture.width)).all()
        assert (kept.sha256, kept.type, kept.width, kept.height, kept.body) == (sha(GOOD), "image/png", 600, 400, GOOD)
        assert (kept.thumbnail_sha256, small.width, small.sha256) == (small.sha256, 300, sha(small.body))
        issue = drafting.draft(session, session.scalars(select(Newsletter)).one(), articles=2, actor="tests", now=NOON)
        first, _ = issues.edition(session, issue).articles
        assert (first.picture.width, first.thumbnail.width, first.thumbnail.alt) == (600, 300, first.picture.alt)


@pytest.mark.parametrize(
    "answer",
    [
        *[image_file(96, 96), image_file(1000, 100), GOOD[:-40], b"<svg/>", b"", GOOD + bytes(MAX_PICTURE_BYTES)],
        FetchError("The server answered 404 Not Found."),
        Forbidden("press.example resolves to 10.0.0.1, which is not a public address."),
        LimitExceeded("Reading the document takes more than 5 seconds."),
    ],
    ids=["small", "banner", "damaged", "svg", "empty", "large", "missing", "forbidden", "costly"],
)
def test_an_unsuitable_picture_gives_way_to_the_next_at_once_and_for_good(begin, candidates, answer):
    candidates(FIRST, SECOND, THIRD)
    answers = {FIRST: answer, SECOND: answer, THIRD: GOOD}
    assert pictures.copy_new(begin, downloads(answers), now=NOON) == 1
    assert current(begin) == (sha(GOOD), THIRD, "third.png")
    assert pictures.copy_new(begin, downloads(answers), now=NOON + MAX_AGE - HOUR) == 0


def test_an_article_without_a_suitable_picture_shows_none_and_is_not_tried_again(begin, candidates):
    candidates(FIRST, SECOND)
    assert pictures.copy_new(begin, downloads(), now=NOON) == 1
    assert pictures.copy_new(begin, downloads({FIRST: GOOD, SECOND: GOOD}), now=NOON + 24 * HOUR) == 0
    assert current(begin)[0] is None


def test_the_log_says_why_a_picture_was_not_copied(begin, candidates, caplog):
    candidates(FIRST)
    with caplog.at_level("INFO"):
        pictures.copy_new(begin, downloads({FIRST: image_file(96, 96)}), now=NOON)
    assert [record.reason for record in caplog.records if record.message == "picture not copied"] == [
        "The picture is 96 pixels wide; a lead picture has at least 100."
    ]


def test_an_unsuitable_picture_does_not_affect_others(begin, offered):
    offered("bus", "bridge")
    pictures.copy_new(begin, downloads({"https://press.example/bridge.png": GOOD}), now=NOON)
    assert shown(begin) == {"About bus": None, "About bridge": sha(GOOD)}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_unavailable_is_asked_again_in_minutes(begin, candidates, site: LocalHttp, status):
    candidates(site.put("/bus.png", status=status), site.put("/small.png", GOOD))
    downloader = DirectDownloader(HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")]))
    assert pictures.copy_new(begin, downloader, now=NOON) == 1
    site.put("/bus.png", OTHER)
    assert pictures.copy_new(begin, downloader, now=NOON + 4 * MINUTE) == 0
    assert current(begin)[0] is None
    assert pictures.copy_new(begin, downloader, now=NOON + 5 * MINUTE) == 1
    assert current(begin) == (sha(OTHER), site.url("/bus.png"), "bus.png")
    assert pictures.copy_new(begin, downloader, now=NOON + 10 * HOUR) == 0


def test_a_server_that_stays_unavailable_is_asked_four_times_before_the_next_candidate(begin, candidates):
    candidates(FIRST, SECOND)
    now = NOON
    for pause in (5 * MINUTE, HOUR, 6 * HOUR):
        assert pictures.copy_new(begin, downloads({FIRST: BUSY, SECOND: GOOD}), now=now) == 1
        assert current(begin)[:2] == (None, FIRST)
        assert pictures.copy_new(begin, downloads({FIRST: OTHER}), now=now + pause - MINUTE) == 0
        now += pause
    assert pictures.copy_new(begin, downloads({FIRST: BUSY, SECOND: GOOD}), now=now) == 1
    assert current(begin) == (sha(GOOD), SECOND, "second.png")


def test_a_server_may_ask_for_a_longer_pause_of_at_most_a_day(begin, candidates):
    candidates(FIRST)
    two_hours, a_week = (ServerUnavailable("Busy.", retry_after=timedelta(hours=hours)) for hours in (2, 168))
    assert pictures.copy_new(begin, downloads({FIRST: two_hours}), now=NOON) == 1
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON + 2 * HOUR - MINUTE) == 0
    assert pictures.copy_new(begin, downloads({FIRST: a_week}), now=NOON + 2 * HOUR) == 1
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON + 25 * HOUR) == 0
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON + 26 * HOUR) == 1
    assert current(begin)[0] == sha(GOOD)


def test_an_interruption_of_ours_is_made_up_for_in_a_minute_and_does_not_count(begin, candidates):
    candidates(FIRST, SECOND)
    ours = downloads({FIRST: DownloadInterrupted()})
    for minutes in range(9):
        assert pictures.copy_new(begin, ours, now=NOON + minutes * MINUTE) == 1
    assert current(begin)[:2] == (None, FIRST)
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON + 9 * MINUTE) == 1
    assert current(begin)[:2] == (sha(GOOD), FIRST)


class StoppedWorkerError(Exception):
    """The end of a worker in the middle of its work."""


def test_a_picture_that_stops_the_worker_blocks_no_other_and_gives_way_after_four_tries(begin, candidates):
    candidates(FIRST, SECOND)
    now = NOON
    for pause in (5 * MINUTE, HOUR, 6 * HOUR, 6 * HOUR):
        with pytest.raises(StoppedWorkerError):
            pictures.copy_new(begin, downloads({FIRST: StoppedWorkerError()}), now=now)
        assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=now + pause - MINUTE) == 0
        now += pause
    assert pictures.copy_new(begin, downloads({FIRST: StoppedWorkerError(), SECOND: GOOD}), now=now) == 1
    assert current(begin) == (sha(GOOD), SECOND, "second.png")


def test_pictures_of_old_articles_are_not_copied(begin, offered):
    offered("bus")
    assert pictures.copy_new(begin, downloads(), now=NOON + MAX_AGE) == 0


def test_the_newest_articles_get_their_pictures_first_and_second_tries_come_last(begin, offered):
    offered("late", now=NOON - HOUR)
    assert pictures.copy_new(begin, downloads({"https://press.example/late.png": BUSY}), now=NOON - HOUR) == 1
    offered("bridge", "bus")
    offered("orchard", now=NOON + HOUR)
    names = ("late", "bus", "bridge", "orchard")
    downloader = downloads({f"https://press.example/{name}.png": GOOD for name in names})
    assert pictures.copy_new(begin, downloader, now=NOON + HOUR, limit=2) == 2
    assert sorted(title for title, copy in shown(begin).items() if copy) == ["About bridge", "About orchard"]
    assert pictures.copy_new(begin, downloader, now=NOON + HOUR, limit=2) == 2
    assert all(shown(begin).values())


def test_an_edit_of_the_pictures_starts_anew_and_a_repeated_feed_does_not(begin, candidates):
    candidates(FIRST, SECOND)
    pictures.copy_new(begin, downloads({SECOND: GOOD}), now=NOON)
    candidates(FIRST, SECOND, now=NOON + HOUR)
    assert current(begin) == (sha(GOOD), SECOND, "second.png")
    assert pictures.copy_new(begin, downloads({FIRST: OTHER}), now=NOON + HOUR) == 0
    candidates(THIRD, SECOND, now=NOON + 2 * HOUR)
    assert current(begin) == (None, THIRD, "third.png")
    assert pictures.copy_new(begin, downloads({THIRD: OTHER}), now=NOON + 2 * HOUR) == 1
    assert current(begin) == (sha(OTHER), THIRD, "third.png")


def test_an_edit_of_the_text_alternative_alone_keeps_the_copy(begin, candidates):
    candidates(FIRST, SECOND)
    pictures.copy_new(begin, downloads({SECOND: GOOD}), now=NOON)
    with begin() as session:
        feed = session.scalars(select(Feed)).one()
        corrected = (LeadPicture(url=FIRST, alt="A bus"), LeadPicture(url=SECOND, alt="A bus in the rain"))
        publish(session, feed, "bus", pictures=corrected, now=NOON + HOUR)
        assert session.scalars(select(Article.edited_at)).one() == NOON + HOUR
    assert current(begin) == (sha(GOOD), SECOND, "A bus in the rain")


@pytest.fixture
def stored_by_the_release_before(begin, candidates):
    """An article with the columns that the release before knows."""
    candidates(FIRST)
    with begin() as session:
        session.execute(update(Article).values(pictures=None, picture_alt=""))


def test_an_article_of_the_release_before_gets_its_picture(begin, stored_by_the_release_before):
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON) == 1
    assert current(begin) == (sha(GOOD), FIRST, "")


def test_an_article_of_the_release_before_without_a_suitable_picture_is_not_tried_again(
    begin, stored_by_the_release_before
):
    assert pictures.copy_new(begin, downloads(), now=NOON) == 1
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON + HOUR) == 0


def test_learning_the_candidates_of_an_article_of_the_release_before_is_no_edit(
    begin, candidates, stored_by_the_release_before
):
    pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON)
    candidates(FIRST, SECOND, now=NOON + HOUR)
    assert current(begin) == (sha(GOOD), FIRST, "first.png")
    with begin() as session:
        assert session.execute(select(Article.edited_at, Article.pictures)).one() == (
            None,
            [{"url": FIRST, "alt": "first.png"}, {"url": SECOND, "alt": "second.png"}],
        )


def approve(begin) -> int:
    """Approve an issue with the article; return the issue's id."""
    with begin() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        issue = drafting.draft(session, newsletter, articles=1, actor="tests", now=NOON)
        approvals.approve(session, issue, actor="tests", now=NOON)
        return issue.id


def is_as_approved(begin, issue_id: int) -> bool:
    with begin() as session:
        issue = session.get_one(issues.Issue, issue_id)
        return issues.content_hash(session, issue) == issue.approved_sha


def test_an_approved_issue_gets_no_picture_that_nobody_approved(begin, candidates):
    candidates(FIRST)
    issue_id = approve(begin)
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON) == 0
    assert is_as_approved(begin, issue_id)
    with begin() as session:
        transitions.cancel(session, session.get_one(issues.Issue, issue_id), actor="tests", now=NOON)
    assert pictures.copy_new(begin, downloads({FIRST: GOOD}), now=NOON) == 1
    assert current(begin)[0] == sha(GOOD)


def test_a_picture_that_arrives_after_the_approval_is_not_shown(begin, candidates):
    approved = []

    class ApprovingDownloader(DirectDownloader):
        """A downloader during whose work an editor approves the issue."""

        def picture(self, url: str) -> PictureDownload:
            approved.append(approve(begin))
            return super().picture(url)

    candidates(FIRST)
    assert pictures.copy_new(begin, ApprovingDownloader(FakeFetcher({FIRST: GOOD})), now=NOON) == 1
    assert is_as_approved(begin, approved[0])
    assert current(begin)[0] is None


def test_a_picture_that_the_feed_has_replaced_meanwhile_is_not_shown(begin, candidates):
    class CorrectingDownloader(DirectDownloader):
        """A downloader during whose work the feed changes the picture."""

        def picture(self, url: str) -> PictureDownload:
            candidates(SECOND, now=NOON + MINUTE)
            return super().picture(url)

    candidates(FIRST)
    pictures.copy_new(begin, CorrectingDownloader(FakeFetcher({FIRST: GOOD})), now=NOON, limit=1)
    assert current(begin) == (None, SECOND, "second.png")
    assert pictures.copy_new(begin, downloads({SECOND: OTHER}), now=NOON + MINUTE) == 1
    assert current(begin)[0] == sha(OTHER)


def test_a_second_worker_does_not_fetch_a_picture_that_the_first_is_fetching(begin, candidates):
    also_claimed = []

    class SlowDownloader(DirectDownloader):
        """A downloader during whose work another worker looks for pictures."""

        def picture(self, url: str) -> PictureDownload:
            also_claimed.append(pictures.copy_new(begin, downloads({url: OTHER}), now=NOON + MINUTE))
            return super().picture(url)

    candidates(FIRST)
    assert pictures.copy_new(begin, SlowDownloader(FakeFetcher({FIRST: GOOD})), now=NOON) == 1
    assert also_claimed == [0]
    assert current(begin)[0] == sha(GOOD)
