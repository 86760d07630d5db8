"""A running service, its readers' inbox and its feed, seen from outside."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from newsletter import newsletters
from newsletter.bench.visitor import Visitor
from newsletter.content.articles.articles import Article
from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.doctor import examination
from newsletter.doctor.checks.findings import Finding
from newsletter.queues.wakeups import Queue, Wakeups
from newsletter.store.database import Database
from tests.builders import an_open_newsletter
from tests.local_http import LocalHttp
from tests.servers.databases import opened
from tests.waiting import eventually

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Town</title><link>https://town.example/</link><description>News</description>
{}</channel></rss>"""
ITEM = """<item><title>{0}</title><link>https://town.example/{1}</link><guid>{1}</guid>
<description>&lt;p&gt;All about {0}.&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</description></item>"""


@dataclass(frozen=True)
class RunningService:
    """The service as a journey uses it, however its processes run."""

    database: Database
    wakeups: Wakeups
    visitor: Visitor
    feed: LocalHttp
    inbox: Callable[[], list[EmailMessage]]

    def publish(self, *titles: str) -> None:
        """Let the feed contain articles with these titles."""
        items = "".join(ITEM.format(title, title.lower().replace(" ", "-")) for title in titles)
        self.feed.put("/feed.xml", FEED.format(items).encode())

    def letters(self, to: str, at_least: int = 1, about: str = "") -> list[EmailMessage]:
        """Wait for at least that many letters to a reader; return them, confirmation letters first."""

        def arrived() -> list[EmailMessage]:
            mine = [letter for letter in self.inbox() if to in letter["To"] and about in str(letter["Subject"])]
            return mine if len(mine) >= at_least else []

        letters = eventually(arrived)
        return sorted(letters, key=lambda letter: "Please confirm" not in str(letter["Subject"]))

    def subscribe(self, email: str, name: str = "") -> None:
        """Sign a reader up and confirm."""
        self.visitor.sign_up("morning", email, name)
        self.visitor.confirm(self.letters(email, about="Please confirm")[0])

    def fetch(self, articles: int) -> None:
        """Let the service fetch the feed, and wait until it has that many articles."""

        def fetched() -> bool:
            with self.database.reading() as session:
                if session.query(Article).count() == articles:
                    return True
                is_due = session.query(Feed).filter(Feed.next_try_at > datetime.now(UTC)).count() == 0
            if not is_due:
                self._make_feeds_due()
            return False

        self._make_feeds_due()
        eventually(fetched)

    def _make_feeds_due(self) -> None:
        """Wake the queue of feeds; a fetch that began before the feed changed plans the next one for later."""
        with self.database.writing() as session:
            session.query(Feed).update({Feed.next_try_at: datetime.now(UTC)})
        self.wakeups.wake(Queue.FEEDS)

    def run_digest(self) -> None:
        """Make the newsletter's only digest overdue by a few minutes, by another run each time; wake the scheduler."""
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        with self.database.writing() as session:
            digest = session.query(Digest).one_or_none()
            if digest is None:
                facts = {"articles": 5, "automatic": True, "zone": "UTC", "actor": "tests"}
                newsletter = newsletters.named(session, "morning")
                digest = digests.add(session, newsletter, name="daily", cron="0 7 * * *", **facts, now=now)
            run = (digest.last_run_at or now) - timedelta(minutes=1)
            digest.cron = f"{run.minute} {run.hour} * * *"
            digest.starts_at = digest.last_run_at = run - timedelta(hours=1)
        self.wakeups.wake(Queue.UPKEEP)

    def findings(self) -> list[Finding]:
        """Return doctor's findings."""
        with self.database.reading() as session:
            return examination.examine(session)


@contextmanager
def with_newsletter(url: str, feed: str = "") -> Iterator[Database]:
    """Yield a database with a newsletter, its published wording, and the feed at that URL if one is given."""
    with closing(opened(url)) as database:
        with database.writing() as session:
            now = datetime.now(UTC)
            newsletter = an_open_newsletter(session, now=now, name="Morning Letter")
            if feed:
                feeds.add(session, newsletter, feed, actor="tests", now=now)
        yield database


def text(letter: EmailMessage) -> str:
    """Return a letter's text part."""
    part = letter.get_body(("plain",))
    assert part
    return part.get_content()
