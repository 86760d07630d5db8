"""The issue that is sent: a digest of a real feed's articles, as large as such letters are."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx2
from jinja2 import Environment
from sqlalchemy import select
from sqlalchemy.orm import Session

import newsletter
from newsletter import audit_log, clock, newsletters, settings, templating
from newsletter.bench.visitor import feed_served
from newsletter.consent import forms, wordings
from newsletter.consent.wordings import Wording
from newsletter.content import feeds, issues, pictures, refreshing
from newsletter.content.digests import drafting
from newsletter.content.feeds import Feed
from newsletter.content.fetching.http import HttpFetcher
from newsletter.content.issues import Issue
from newsletter.errors import Refused
from newsletter.mail.mailings import issue_letters
from newsletter.newsletters import Newsletter
from newsletter.settings import PREFIX
from newsletter.store.database import Database

SAMPLE = Path(newsletter.__file__).parent / "sample" / "feed.xml"
SLUG = "bench"
LARGEST = 25_000  # octets of a letter; an issue takes as many articles as fit into it


def found(session: Session, templates: Environment) -> tuple[Newsletter, Wording]:
    """A newsletter with its consent wording."""
    made = newsletters.add(
        session,
        slug=SLUG,
        name="The Benchmark",
        publisher="The Bench",
        description="What a newsletter of some articles costs to send.",
        sender="letters@bench.example",
        postal_address="1 Example Street, 00000 Exampleton",
        actor=audit_log.system_user(),
        now=clock.now(),
    )
    text = wordings.default_text(made)
    return made, forms.publish(session, templates, made, text=text, actor=audit_log.system_user(), now=clock.now())


def read_feed(database: Database, feed: str | None, *, issues_wanted: int) -> None:
    """Let the newsletter read the feed, once for each issue that is to come: an issue takes no article a second time.

    What answers on the web is read once, and then served from here under as many addresses. Raises Refused where it
    cannot be read.
    """
    with _served(feed, issues_wanted) as addresses:
        with database.writing() as session:
            read = newsletters.named(session, SLUG)
            for address in addresses:
                feeds.add(session, read, address, actor=audit_log.system_user(), now=clock.now())
        allowed = settings.load({f"{PREFIX}FEED_ALLOW": urlsplit(addresses[0]).netloc}, dotenv=None).feed_allow
        fetcher = HttpFetcher(allow=allowed)
        while refreshing.refresh_due(database.writing, fetcher, now=clock.now()):
            pass
        while pictures.copy_new(database.writing, fetcher, now=clock.now()):
            pass
    with database.reading() as session:
        if error := session.scalar(select(Feed.error).where(Feed.error.is_not(None)).limit(1)):
            raise Refused(f"--feed: the feed cannot be used: {error}")


def draft(session: Session, templates: Environment, *, base_url: str) -> tuple[Issue, int]:
    """An issue of as many of the newest articles as fit into `LARGEST`, and the octets of one of its letters."""
    smallest: tuple[Issue, int] | None = None
    read = newsletters.named(session, SLUG)
    for articles in range(12, 0, -1):
        issue = drafting.draft(session, read, articles=articles, actor=audit_log.system_user(), now=clock.now())
        letter = issue_letters.preview(session, issue, templates=templates, base_url=base_url)["source"]
        smallest = issue, len(letter)
        if len(letter) <= LARGEST or articles == 1:
            break
        issues.cancel(session, issue, actor=audit_log.system_user(), now=clock.now())
    assert smallest
    return smallest


def drafted(database: Database, number: int, *, base_url: str) -> tuple[list[int], int]:
    """So many issues, by their ids, and the octets of a letter."""
    templates, made, size = templating.environment(), [], 0
    for _ in range(number):
        with database.writing() as session:
            issue, size = draft(session, templates, base_url=base_url)
            made.append(issue.id)
    return made, size


@contextmanager
def _served(feed: str | None, times: int) -> Iterator[list[str]]:
    """The feed, with what lies beside it, under so many addresses."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        file = _file(feed, folder)
        for number in range(times):
            (folder / f"{number}").symlink_to(file.parent.resolve(), target_is_directory=True)
        server = stack.enter_context(feed_served(folder))
        yield [f"{server}/{number}/{file.name}" for number in range(times)]


def _file(feed: str | None, folder: Path) -> Path:
    if feed and feed.startswith(("http://", "https://")):
        try:
            body = httpx2.get(feed, follow_redirects=True, timeout=30).raise_for_status().content
        except httpx2.HTTPError as error:
            raise Refused(f"--feed: it cannot be read: {error}") from error
        kept = folder / "fetched"
        kept.mkdir()
        (kept / "feed.xml").write_bytes(body)
        return kept / "feed.xml"
    file = Path(feed) if feed else SAMPLE
    if not file.is_file():
        raise Refused(f"--feed: there is no file {file}.")
    return file
