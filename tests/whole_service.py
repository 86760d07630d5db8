"""A whole service in a test's hands: the real site and jobs, a clock that the test sets, an outbox to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import newsletters, templating
from newsletter.consent import forms, wordings
from newsletter.mail.delivery.leases import Worker
from newsletter.migrations.schema import metadata
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.web import create_app
from newsletter.web.site import Site
from tests.clock import NOON
from tests.servers.databases import MONITORING, opened
from workers import context, jobs
from workers.context import Context

SECRET = "k1:" + "s" * 40


class Silence:
    """Wake-ups that nobody receives: the test itself runs the jobs."""

    def wake(self, queue: Queue) -> None:
        """Nothing happens, which is harmless."""


class Clock:
    """The time, until the test lets it pass."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **length: float) -> None:
        self.time += timedelta(**length)


@dataclass(frozen=True)
class WholeService:
    """One service and everybody who uses it."""

    site: Site
    context: Context
    browser: TestClient
    clock: Clock
    outbox: Path

    def newsletter(self, slug: str = "morning", **given: Any) -> Newsletter:
        """A newsletter with its words published."""
        with self.site.database.writing() as session:
            facts = {
                "name": f"The {slug.capitalize()} Letter",
                "publisher": "Example Press",
                "sender": "letters@press.example",
                "postal_address": "1 Street, 00000 Town",
                **given,
            }
            made = newsletters.add(session, slug=slug, actor="tests", now=self.clock(), **facts)
            text = wordings.default_text(made)
            forms.publish(session, templating.environment(), made, text=text, actor="tests", now=self.clock())
        self.site.catalogue.forget()
        return made

    def form(self, slug: str = "morning") -> dict[str, Any]:
        """The hidden fields of a newsletter's form, as the page has them, and the consent ticked."""
        page = LexborHTMLParser(self.browser.get(f"/n/{slug}").text)
        fields = page.css("form[action='/subscribe'] input[type=hidden]")
        return {str(f.attributes["name"]): f.attributes["value"] for f in fields} | {"consent": "true"}

    def sign_up(self, email: str, slug: str = "morning", **fields: Any) -> Any:
        """Post the form; the answer."""
        return self.browser.post("/subscribe", data={**self.form(slug), "email": email, **fields})

    def run(self, *queues: Queue) -> None:
        """Let the workers do what is due, until nothing more is."""
        for queue in queues or (Queue.URGENT, Queue.UPKEEP, Queue.BULK):
            while jobs.run(queue, self.context):
                pass

    def letters(self, to: str | None = None) -> list[EmailMessage]:
        """The letters in the outbox, oldest first."""
        found = [
            message_from_bytes(file.read_bytes(), policy=policy.default)
            for file in sorted((self.outbox / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        ]
        return [letter for letter in found if to is None or to in letter["To"]]

    def links(self, letter: EmailMessage) -> list[str]:
        """Every address in a letter that leads to this site: in its header, its text and its HTML."""
        base = self.site.settings.base_url
        text, html = letter.get_body(("plain",)), letter.get_body(("html",))
        assert text
        assert html
        found = {word.strip("<>") for word in str(letter["List-Unsubscribe"]).split()}
        found |= {word for word in text.get_content().split() if word.startswith(base)}
        found |= {str(a.attributes.get("href")) for a in LexborHTMLParser(html.get_content()).css("a[href]")}
        return sorted(link.removeprefix(base) for link in found if link.startswith(base))

    def link(self, letter: EmailMessage, path: str) -> str:
        """The letter's one link below that path."""
        (found,) = [link for link in self.links(letter) if link.startswith(f"/{path}/")]
        return found

    def reader(self, email: str, slug: str = "morning") -> EmailMessage:
        """Somebody who signed up and confirmed; returns the confirmation letter."""
        assert self.sign_up(email, slug).status_code == 202
        self.run(Queue.URGENT)
        letter = self.letters(to=email)[-1]
        assert self.browser.post(self.link(letter, "confirm"), data={"confirm": "yes"}).status_code == 200
        return letter

    def rows(self) -> dict[str, list[Any]]:
        """Everything in the database, table by table, but for the heartbeats, which come by themselves."""
        with self.site.database.reading() as session:
            return {
                table.name: sorted((tuple(row) for row in session.execute(select(table))), key=str)
                for table in metadata.sorted_tables
                if table.name != Worker.__tablename__
            }


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WholeService]:
    """A service of the test's own, on SQLite and on PostgreSQL."""
    with whole_service(request.getfixturevalue(f"{request.param}_url"), tmp_path) as made:
        yield made


@contextmanager
def whole_service(url: str, folder: Path, **given: Any) -> Iterator[WholeService]:
    """The service on this database, its files in this folder."""
    settings = Settings(
        **{"database_url": url, "data_dir": folder, "base_url": "http://localhost", "secret_keys": SECRET, **given}
    )
    clock = Clock()
    database, monitoring = opened(settings.database), opened(settings.database, MONITORING)
    built = context.build(settings, database=database, clock=clock)
    app = create_app(settings, Silence(), database=database, monitoring=monitoring)
    app.state.site = replace(app.state.site, now=clock)
    with TestClient(app, base_url=settings.base_url, client=("127.0.0.1", 50_000)) as browser:
        yield WholeService(app.state.site, built, browser, clock, folder / "outbox")
    built.close()
