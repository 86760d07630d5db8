"""The three journeys, through the real thing: site over HTTP, Celery worker and beat, feed server, outbox or SMTP."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from newsletter import newsletters
from newsletter.cli.rehearsal import Visitor
from newsletter.cli.serving import served, working
from newsletter.consent import wordings
from newsletter.consent.subscribers import Standing, Subscription
from newsletter.content import digests, feeds
from newsletter.content.articles import Article
from newsletter.doorbell import Room
from newsletter.post import doctor
from newsletter.post.outbox import Outbox
from newsletter.settings import Settings
from newsletter.web import forms
from tests.local_http import LocalHttp, local_http
from tests.servers.server import free_port
from tests.stage import SECRET
from tests.waiting import eventually

PATIENCE = 20

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Town</title><link>https://town.example/</link><description>News</description>
{}</channel></rss>"""
ITEM = """<item><title>{0}</title><link>https://town.example/{1}</link><guid>{1}</guid>
<description>&lt;p&gt;All about {0}.&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</description></item>"""


@dataclass(frozen=True)
class Town:
    """A running service, its readers and the feed that it follows."""

    app: FastAPI
    visitor: Visitor
    feed: LocalHttp
    inbox: Callable[[], list[EmailMessage]]

    def publishes(self, *titles: str) -> None:
        items = "".join(ITEM.format(title, title.lower().replace(" ", "-")) for title in titles)
        self.feed.put("/feed.xml", FEED.format(items).encode())

    def letters(self, to: str, at_least: int = 1, about: str = "") -> list[EmailMessage]:
        """The reader's letters, once there are so many."""

        def arrived() -> list[EmailMessage]:
            mine = [letter for letter in self.inbox() if letter["To"] == to and about in str(letter["Subject"])]
            return mine if len(mine) >= at_least else []

        return eventually(arrived, within=PATIENCE)

    def subscribes(self, email: str) -> None:
        self.visitor.sign_up("morning", email, "")
        self.visitor.confirm(self.letters(email, about="Please confirm")[0])

    def fetches(self, articles: int) -> None:
        with self.app.state.site.database.writing() as session:
            for feed in session.query(feeds.Feed):
                feed.next_try_at = datetime.now(UTC)
        self.app.state.site.doorbell.ring(Room.FEEDS)

        def fetched() -> bool:
            with self.app.state.site.database.reading() as session:
                return session.query(Article).count() == articles

        eventually(fetched, within=PATIENCE)

    def is_due(self, name: str) -> None:
        """A digest whose run was a minute ago, for the scheduler to find."""
        with self.app.state.site.database.writing() as session:
            run = datetime.now(UTC) - timedelta(minutes=1)
            digests.add(
                session,
                newsletters.named(session, "morning"),
                name=name,
                cron=f"{run.minute} {run.hour} * * *",
                articles=5,
                automatic=True,
                starts_at=run - timedelta(hours=1),
                now=datetime.now(UTC),
            )
        self.app.state.site.doorbell.ring(Room.UPKEEP)

    def findings(self) -> list[doctor.Finding]:
        with self.app.state.site.database.reading() as session:
            return doctor.examine(session)


@pytest.fixture(
    params=["sqlite-outbox", pytest.param("postgresql-smtp", marks=[pytest.mark.postgresql, pytest.mark.smtp])]
)
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    kind, _, carrier = request.param.partition("-")
    port = free_port()
    given = {"smtp_url": request.getfixturevalue("smtp_sink").url} if carrier == "smtp" else {}
    with local_http() as feed:
        settings = Settings(
            database_url=request.getfixturevalue(f"{kind}_url"),
            data_dir=tmp_path,
            base_url=f"http://127.0.0.1:{port}",
            secret_keys=SECRET,
            feed_allow=(f"127.0.0.1:{feed.port}",),
            **given,
        )
        with (
            working(settings) as app,
            served(app, "127.0.0.1", port),
            httpx2.Client(base_url=settings.base_url, trust_env=False) as browser,
        ):
            with app.state.site.database.writing() as session:
                made = newsletters.add(
                    session,
                    slug="morning",
                    name="Morning Letter",
                    publisher="Example Press",
                    sender="letters@press.example",
                    postal_address="1 Street, 00000 Town",
                    now=datetime.now(UTC),
                )
                text = wordings.default_text(made)
                forms.publish(session, app.state.site.templates, made, text=text, now=datetime.now(UTC))
                feeds.add(session, made, feed.url("/feed.xml"), now=datetime.now(UTC))

            def inbox() -> list[EmailMessage]:
                if carrier == "smtp":
                    return [letter.message for letter in request.getfixturevalue("smtp_sink").letters()]
                return [kept.message for kept in Outbox(tmp_path / "outbox").letters(limit=1000)]

            yield Town(app, Visitor(browser, tmp_path / "outbox"), feed, inbox)


def text(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part
    return part.get_content()


@pytest.mark.slow
def test_from_sign_up_to_the_first_letter(town):
    town.visitor.sign_up("morning", "ana@example.org", "Ana")
    (asking,) = town.letters("ana@example.org")
    assert "I ask Example Press" in text(asking)
    town.publishes("A bridge opens")
    town.fetches(articles=1)
    town.subscribes("control@example.org")
    town.is_due("before she confirmed")
    town.letters("control@example.org", 2)
    assert len(town.letters("ana@example.org")) == 1, "nothing but the confirmation before she confirms"

    town.visitor.confirm(asking)
    town.publishes("A bridge opens", "The bus waits")
    town.fetches(articles=2)
    town.is_due("after she confirmed")
    (_, first) = sorted(town.letters("ana@example.org", 2), key=lambda letter: "confirm" not in str(letter["Subject"]))
    assert "The bus waits" in text(first)
    assert "A bridge opens" not in text(first), "an article goes out once"
    assert town.findings() == []


@pytest.mark.slow
def test_from_feed_to_inbox(town):
    readers = [f"reader{number}@example.org" for number in range(5)]
    for reader in readers:
        town.subscribes(reader)
    town.publishes("A bridge opens", "The bus waits", "=?utf-8?q?=0ABcc:_x=40y.z?= and {{ 7*7 }}")
    town.fetches(articles=3)
    town.is_due("daily")
    letters = [town.letters(reader, 2) for reader in readers]
    for mine in letters:
        (issue,) = [letter for letter in mine if "Please confirm" not in str(letter["Subject"])]
        assert [part.get_content_type() for part in issue.iter_parts()] == ["text/plain", "text/html"]
        assert "=?utf-8?q?=0ABcc:_x=40y.z?= and {{ 7*7 }}" in text(issue)
        assert issue["Bcc"] is None
        html = issue.get_body(("html",)).get_content()
        assert "<script" not in html
        assert "https://town.example/a-bridge-opens" in html
        assert issue["List-Unsubscribe"] != letters[0][0]["List-Unsubscribe"] or issue["To"] == readers[0]
    assert eventually(lambda: town.findings() == [])
    identities = [letter["Message-ID"] for mine in letters for letter in mine]
    assert len(set(identities)) == len(identities)


@pytest.mark.slow
def test_from_one_click_to_silence(town):
    for reader in ("weary@example.org", "happy@example.org"):
        town.subscribes(reader)
    town.publishes("A bridge opens")
    town.fetches(articles=1)
    town.is_due("first")
    (_, issue) = sorted(
        town.letters("weary@example.org", 2), key=lambda letter: "confirm" not in str(letter["Subject"])
    )
    town.visitor.leave(issue)
    with town.app.state.site.database.reading() as session:
        assert sorted(row.standing for row in session.query(Subscription)) == [Standing.LEFT, Standing.SUBSCRIBED]
    town.publishes("A bridge opens", "The bus waits")
    town.fetches(articles=2)
    town.is_due("second")
    assert len(town.letters("happy@example.org", 3)) == 3
    assert len(town.letters("weary@example.org")) == 2
    assert town.findings() == []
