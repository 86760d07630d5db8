"""A town: a running service, its readers and the feed that it follows, seen from where they are."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from newsletter import newsletters, templating
from newsletter.bench.visitor import Visitor
from newsletter.consent import forms, wordings
from newsletter.content import feeds
from newsletter.content.articles import Article
from newsletter.content.digests import digests
from newsletter.doctor import examination
from newsletter.doctor.checks.findings import Finding
from newsletter.queues.wakeups import Queue, Wakeups
from newsletter.store.database import Database
from tests.local_http import LocalHttp
from tests.servers.databases import opened
from tests.waiting import eventually

PATIENCE = 20  # seconds; a ring that is lost is made good by the beat, feeds' after a minute: they are not waited for

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Town</title><link>https://town.example/</link><description>News</description>
{}</channel></rss>"""
ITEM = """<item><title>{0}</title><link>https://town.example/{1}</link><guid>{1}</guid>
<description>&lt;p&gt;All about {0}.&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</description></item>"""


@dataclass(frozen=True)
class RunningService:
    """Whoever walks through it needs to know the service's database, bell and site, and none of its processes."""

    database: Database
    bell: Wakeups
    visitor: Visitor
    feed: LocalHttp
    inbox: Callable[[], list[EmailMessage]]

    def publishes(self, *titles: str) -> None:
        items = "".join(ITEM.format(title, title.lower().replace(" ", "-")) for title in titles)
        self.feed.put("/feed.xml", FEED.format(items).encode())

    def letters(self, to: str, at_least: int = 1, about: str = "") -> list[EmailMessage]:
        """The reader's letters, once there are so many; what asks for a confirmation first."""

        def arrived() -> list[EmailMessage]:
            mine = [letter for letter in self.inbox() if to in letter["To"] and about in str(letter["Subject"])]
            return mine if len(mine) >= at_least else []

        found = eventually(arrived, within=PATIENCE)
        return sorted(found, key=lambda letter: "Please confirm" not in str(letter["Subject"]))

    def subscribes(self, email: str, name: str = "") -> None:
        self.visitor.sign_up("morning", email, name)
        self.visitor.confirm(self.letters(email, about="Please confirm")[0])

    def fetches(self, articles: int) -> None:
        with self.database.writing() as session:
            for feed in session.query(feeds.Feed):
                feed.next_try_at = datetime.now(UTC)
        self.bell.wake(Queue.FEEDS)

        def fetched() -> bool:
            with self.database.reading() as session:
                return session.query(Article).count() == articles

        eventually(fetched, within=PATIENCE)

    def is_due(self, name: str) -> None:
        """A digest whose run was a minute ago, for the scheduler to find."""
        with self.database.writing() as session:
            run = datetime.now(UTC) - timedelta(minutes=1)
            digests.add(
                session,
                newsletters.named(session, "morning"),
                name=name,
                cron=f"{run.minute} {run.hour} * * *",
                articles=5,
                automatic=True,
                starts_at=run - timedelta(hours=1),
                actor="tests",
                now=datetime.now(UTC),
            )
        self.bell.wake(Queue.UPKEEP)

    def findings(self) -> list[Finding]:
        with self.database.reading() as session:
            return examination.examine(session)


@contextmanager
def founded(url: str, feed: str = "") -> Iterator[Database]:
    """The database of a town: a newsletter with its words published, and the feed at that address if there is one."""
    with closing(opened(url)) as database:
        with database.writing() as session:
            made = newsletters.add(
                session,
                slug="morning",
                name="Morning Letter",
                publisher="Example Press",
                sender="letters@press.example",
                postal_address="1 Street, 00000 Town",
                actor="tests",
                now=datetime.now(UTC),
            )
            words, now = wordings.default_text(made), datetime.now(UTC)
            forms.publish(session, templating.environment(), made, text=words, actor="tests", now=now)
            if feed:
                feeds.add(session, made, feed, actor="tests", now=now)
        yield database


def text(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part
    return part.get_content()
