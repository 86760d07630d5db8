"""Builders for tests about content: a newsletter, a feed, entries, and a fake fetcher."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from typer.testing import Result

from newsletter.content import storing
from newsletter.content.downloading.downloader import DirectDownloader
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.fetcher import MAX_BYTES, FetchResult
from newsletter.content.parsing.entries import FeedEntry, LeadPicture, ParsedFeed
from newsletter.newsletters import Newsletter
from tests.builders import a_bare_newsletter
from tests.clock import NOON


def a_newsletter(session: Session, slug: str = "morning", *, zone: str = "Europe/Berlin") -> Newsletter:
    return a_bare_newsletter(session, slug, zone=zone)


def a_feed(session: Session, newsletter: Newsletter, name: str = "town") -> Feed:
    feed = feeds.add(session, newsletter, f"https://press.example/{name}.xml", actor="tests", now=NOON)
    feed.title = name.capitalize()
    return feed


def an_entry(name: str, **changes) -> FeedEntry:
    facts = {
        "identity": f"tag:{name}",
        "url": f"https://press.example/{name}",
        "title": f"About {name}",
        "summary": f"All about {name}.",
        "html": f"<p>All about {name}.</p>",
    }
    return FeedEntry(**{**facts, **changes})


def publish(session: Session, feed: Feed, *names: str, now: datetime = NOON, **changes) -> int:
    """Store entries of these names as the feed's, the newest first. Entries stored before stay in the feed."""
    entries = tuple(an_entry(name, **changes) for name in names)
    return store(session, feed, *entries, is_complete=False, now=now)


def store(
    session: Session,
    feed: Feed,
    *entries: FeedEntry,
    now: datetime = NOON,
    link: str | None = None,
    is_complete: bool = True,
) -> int:
    """Store a document with these entries; return the number of new articles."""
    document = ParsedFeed(title="Town", entries=entries, link=link, is_complete=is_complete)
    return storing.store(session, feed, document, now=now)


def with_picture(name: str) -> FeedEntry:
    return an_entry(name, pictures=(LeadPicture(url=f"https://press.example/{name}.png", alt=f"A picture of {name}"),))


@dataclass
class FakeFetcher:
    """A fetcher that returns prepared bodies, or raises prepared errors, by URL."""

    answers: dict[str, bytes | Exception] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)

    def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, limit: int = MAX_BYTES
    ) -> FetchResult:
        answer = self.answers.get(url, FetchError("The server answered 404 Not Found."))
        if isinstance(answer, Exception):
            raise answer
        if len(answer) > limit:
            raise FetchError(f"The response is larger than {limit / 1e6:g} MB.")
        known = self.etags.get(url)
        return FetchResult(url=url, body=None if etag and etag == known else answer, etag=known)


def downloads(
    answers: dict[str, bytes | Exception] | None = None, etags: dict[str, str] | None = None
) -> DirectDownloader:
    """A downloader over a fake fetcher with these answers."""
    return DirectDownloader(FakeFetcher(answers or {}, etags or {}))


def answer(result: Result) -> Any:
    """The JSON that a command printed."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)
