"""A whole service for tests: the real site and jobs, a clock that the test sets, and an outbox to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import newsletters
from newsletter.consent.wordings import pasted_forms, wording_publication
from newsletter.consent.wordings.forms import Form
from newsletter.mail.delivery.leases import Worker
from newsletter.mail.transport.relay_capabilities import take_utf8
from newsletter.migrations.schema import metadata
from newsletter.newsletters import Newsletter
from newsletter.operators.passwords import Passwords
from newsletter.queues.wakeups import Queue
from newsletter.relays import Relay
from newsletter.settings import Settings
from newsletter.web import create_app
from newsletter.web.monitoring import health
from newsletter.web.public.offered_newsletters import MAX_AGE, OfferedNewslettersCache
from newsletter.web.site import Site
from tests.builders import an_open_newsletter
from tests.clock import NOON
from tests.processes import RAISED_LIMITS
from tests.servers.databases import MONITORING, opened
from tests.smtp_server import ScriptedServer
from tests.transports import FakeMonotonic
from tests.waiting import TIMEOUT
from workers import context, jobs
from workers.context import Context

SECRET = "k1:" + "s" * 40
CHEAP_HASHES = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class NoWakeups:
    """Drops wake-ups: the test itself runs the jobs."""

    def wake(self, queue: Queue) -> None:
        """Do nothing."""


class Clock:
    """A clock that changes only when the test advances it."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **length: float) -> None:
        self.time += timedelta(**length)


@dataclass(frozen=True)
class WholeService:
    """One service, with the actions of its visitors, readers and workers."""

    site: Site
    context: Context
    browser: TestClient
    clock: Clock
    outbox: Path
    cache_clock: FakeMonotonic

    def newsletter(self, slug: str = "morning", **values: Any) -> Newsletter:
        """Add a newsletter with a published wording."""
        with self.site.database.writing() as session:
            newsletter = an_open_newsletter(session, slug, now=self.clock(), **values)
        self.let_the_site_read_newsletters_again()
        return newsletter

    def publish_words(self, slug: str, text: str, language: str) -> None:
        """Publish a newsletter's words of consent in a language, as an operator does."""
        with self.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            wording_publication.publish(
                session, self.site.templates, newsletter, text=text, language=language, actor="tests", now=self.clock()
            )
        self.let_the_site_read_newsletters_again()

    def paste_form(self, *, language: str = "en", base_url: str | None = None) -> tuple[Form, str]:
        """Generate the form that publishers paste into their own page; return it with its HTML."""
        with self.site.database.writing() as session:
            return pasted_forms.publish(
                session,
                self.site.templates,
                [newsletters.named(session, "morning")],
                language=language,
                base_url=base_url or self.site.settings.base_url,
                actor="tests",
                now=self.clock(),
            )

    def let_the_site_read_newsletters_again(self) -> None:
        """Set the clock of the site's cache forward by its largest age."""
        self.cache_clock.now += MAX_AGE

    def form(self, slug: str = "morning") -> dict[str, Any]:
        """Return the hidden fields of a newsletter's form, from its page, and consent."""
        page = LexborHTMLParser(self.browser.get(f"/n/{slug}").text)
        fields = page.css("form[action='/subscribe'] input[type=hidden]")
        return {str(field.attributes["name"]): field.attributes["value"] for field in fields} | {"consent": "true"}

    def sign_up(self, email: str, slug: str = "morning", **fields: Any) -> Any:
        """Post the form and return the response."""
        return self.browser.post("/subscribe", data={**self.form(slug), "email": email, **fields})

    def run(self, *queues: Queue) -> None:
        """Run the jobs of these queues (default: all that send letters) until no work is due."""
        for queue in queues or (Queue.URGENT, Queue.UPKEEP, Queue.BULK):
            while jobs.run(queue, self.context):
                pass

    def letters(self, to: str | None = None) -> list[EmailMessage]:
        """Return the letters in the outbox, oldest first."""
        letters = [
            message_from_bytes(file.read_bytes(), policy=policy.default)
            for file in sorted((self.outbox / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        ]
        return [letter for letter in letters if to is None or to in letter["To"]]

    def links(self, letter: EmailMessage) -> list[str]:
        """Return every link to this site in a letter's header, text and HTML."""
        base = self.site.settings.base_url
        text, html = letter.get_body(("plain",)), letter.get_body(("html",))
        assert text
        assert html
        links = {word.strip("<>") for word in str(letter["List-Unsubscribe"]).split()}
        links |= {word for word in text.get_content().split() if word.startswith(base)}
        links |= {str(a.attributes.get("href")) for a in LexborHTMLParser(html.get_content()).css("a[href]")}
        return sorted(link.removeprefix(base) for link in links if link.startswith(base))

    def link(self, letter: EmailMessage, path: str) -> str:
        """Return the letter's only link with that path."""
        (link,) = [link for link in self.links(letter) if link.startswith(f"/{path}/")]
        return link

    def reader(self, email: str, slug: str = "morning") -> EmailMessage:
        """Sign up and confirm; return the confirmation letter."""
        assert self.sign_up(email, slug).status_code == 202
        self.run(Queue.URGENT)
        letter = self.letters(to=email)[-1]
        assert self.browser.post(self.link(letter, "confirm"), data={"confirm": "yes"}).status_code == 200
        return letter

    def rows(self) -> dict[str, list[Any]]:
        """Return all rows by table."""
        with self.site.database.reading() as session:
            return {
                table.name: sorted((tuple(row) for row in session.execute(select(table))), key=str)
                for table in metadata.sorted_tables
                if table.name != Worker.__tablename__
            }


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WholeService]:
    """A service for one test, on SQLite and on PostgreSQL."""
    with whole_service(request.getfixturevalue(f"{request.param}_url"), tmp_path) as service:
        yield service


@contextmanager
def whole_service(url: str, folder: Path, **values: Any) -> Iterator[WholeService]:
    """Run a service on this database, with its files in this folder."""
    settings = Settings(
        **{
            "database_url": url,
            "data_dir": folder,
            "base_url": "http://localhost",
            "secret_keys": SECRET,
            **{name.lower(): limit for name, limit in RAISED_LIMITS.items()},
            **values,
        }
    )
    clock = Clock()
    database, monitoring = opened(settings.database), opened(settings.database, MONITORING)
    built = context.build(settings, database=database, clock=clock)
    app = create_app(settings, NoWakeups(), database=database, monitoring=monitoring)
    patience = {"timeout": TIMEOUT, "statement_timeout": TIMEOUT}  # a database is not away because the machine is busy
    app.state.health = health.timed_query(monitoring, settings, pages=database, **patience)
    cache_clock = FakeMonotonic()
    offered = OfferedNewslettersCache(
        database,
        monotonic=cache_clock,
        can_reach_utf8=lambda session: take_utf8(session, settings.smtp_url, now=clock()),
    )
    app.state.site = replace(app.state.site, now=clock, offered=offered, passwords=Passwords(CHEAP_HASHES))
    with TestClient(app, base_url=settings.base_url, client=("127.0.0.1", 50_000)) as browser:
        yield WholeService(app.state.site, built, browser, clock, folder / "outbox", cache_clock)
    built.close()


def through(server: ScriptedServer) -> dict[str, Any]:
    """Return the settings of a service whose letters go to this server."""
    return {"smtp_url": (Relay(host=server.host, port=server.port),), "ehlo_name": "news.example"}
