"""The benchmark's issues: digests of a feed's articles, of a realistic size."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx2
from sqlalchemy import select
from sqlalchemy.orm import Session

import newsletter
from newsletter import audit_log, clock, newsletters, settings, templating
from newsletter.bench.visitor import feed_served
from newsletter.consent.wordings import wording_publication
from newsletter.consent.wordings.wordings import Wording
from newsletter.content import pictures, refreshing
from newsletter.content.digests import digests, drafting
from newsletter.content.downloading.sandboxed import SandboxedDownloader
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue
from newsletter.errors import Refused
from newsletter.mail.mailings import issue_layout
from newsletter.newsletters import Newsletter
from newsletter.settings import PREFIX
from newsletter.store.database import Database
from newsletter.templating import Templates

SAMPLE = Path(newsletter.__file__).parent / "sample" / "feed.xml"
SLUG = "bench"
LETTER_OCTETS = 25_000  # at most; an issue gets as many articles as fit
NEVER = "0 0 29 2 *"  # a schedule that does not run while a benchmark does


def add_newsletter(session: Session) -> tuple[Newsletter, Wording]:
    """Add the benchmark's newsletter and publish its consent wording."""
    newsletter = newsletters.add(
        session,
        slug=SLUG,
        name="The Benchmark",
        publisher="The Bench",
        description="Measures the cost of sending a newsletter.",
        sender="letters@bench.example",
        postal_address="1 Example Street, 00000 Exampleton",
        actor=audit_log.system_user(),
        now=clock.now(),
    )
    wording = wording_publication.publish_proposed(
        session, templating.environment, newsletter, actor=audit_log.system_user(), now=clock.now()
    )
    assert wording
    return newsletter, wording


def fetch_feed(database: Database, feed: str | None) -> None:
    """Fetch the feed's articles. Raises Refused if it cannot be read."""
    with TemporaryDirectory() as folder:
        file = _file(feed, Path(folder))
        with feed_served(file.parent) as server:
            _fetch(database, f"{server}/{file.name}")
    with database.reading() as session:
        if error := session.scalar(select(Feed.error).where(Feed.error.is_not(None)).limit(1)):
            raise Refused(f"--feed: the feed cannot be used: {error}")


def _fetch(database: Database, address: str) -> None:
    with database.writing() as session:
        reader = newsletters.named(session, SLUG)
        feeds.add(session, reader, address, actor=audit_log.system_user(), now=clock.now())
    allowed = settings.load({f"{PREFIX}FEED_ALLOW": urlsplit(address).netloc}, dotenv=None).feed_allow
    with closing(SandboxedDownloader(allow=allowed)) as downloader:
        while refreshing.refresh_due(database.writing, downloader, now=clock.now()):
            pass
        while pictures.copy_new(database.writing, downloader, now=clock.now()):
            pass


def draft(session: Session, templates: Templates, name: str, *, base_url: str) -> tuple[Issue, int]:
    """Draft an issue of as many articles as fit into `LETTER_OCTETS`; return it and the octets of one letter.

    Each issue belongs to a digest of its own, because a digest uses an article once.
    """
    drafted: tuple[Issue, int] | None = None
    reader, actor, now = newsletters.named(session, SLUG), audit_log.system_user(), clock.now()
    for articles in range(12, 0, -1):
        digest = digests.add(
            session,
            reader,
            name=f"{name}, {articles} articles",
            cron=NEVER,
            articles=articles,
            archive=True,  # a feed given to the benchmark may be years old
            actor=actor,
            now=now,
        )
        issue = drafting.draft_now(session, digest.id, actor=actor, now=now)
        letter = issue_layout.preview(session, issue, templates=templates, base_url=base_url)["source"]
        drafted = issue, len(letter)
        if len(letter) <= LETTER_OCTETS or articles == 1:
            break
        transitions.cancel(session, issue, actor=actor, now=now)
    assert drafted
    return drafted


def draft_many(database: Database, number: int, *, base_url: str) -> tuple[list[int], int]:
    """Draft that many issues; return their ids and the octets of one letter."""
    templates, ids, octets = templating.environment, [], 0
    for each in range(number):
        with database.writing() as session:
            issue, octets = draft(session, templates, f"Issue {each + 1}", base_url=base_url)
            ids.append(issue.id)
    return ids, octets


def _file(feed: str | None, folder: Path) -> Path:
    if feed and feed.startswith(("http://", "https://")):
        try:
            body = httpx2.get(feed, follow_redirects=True, timeout=30).raise_for_status().content
        except httpx2.HTTPError as error:
            raise Refused(f"--feed: the feed cannot be read: {error}") from error
        downloaded = folder / "fetched"
        downloaded.mkdir()
        (downloaded / "feed.xml").write_bytes(body)
        return downloaded / "feed.xml"
    file = Path(feed) if feed else SAMPLE
    if not file.is_file():
        raise Refused(f"--feed: {file} is not a file.")
    return file
