"""What the processes say, from sign-up to silence and through every trouble: enough, and nothing that is anybody's."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from redis import Redis
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import func, select
from sqlalchemy import text as sql

from newsletter.bench.visitor import StepFailed
from newsletter.consent.signups import Signup, SignupState
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.store.database import Database
from tests.journeys.conftest import visited
from tests.journeys.running_service import PATIENCE, RunningService, founded, text
from tests.processes import Production, connected_wakeups, production
from tests.smtp_server import ScriptedServer
from tests.waiting import eventually
from tests.whole_service import SECRET

DATABASE, REDIS, RELAY = (f"{part}-hunter2" for part in ("database", "redis", "relay"))
ANA, BEN, GONE, ODD = (f"{who}.of.springfield@example.org" for who in ("ana", "ben", "gone", "odd"))
NAME = "Ana Liczba"
SECRETS = [DATABASE, REDIS, RELAY, SECRET.partition(":")[2]]
READERS = [address.partition("@")[0] for address in (ANA, BEN, GONE, ODD)] + [NAME, quote(NAME)]


@pytest.fixture
def redis_with_password(redis_url: str) -> Iterator[str]:
    """The same Redis, to a user who has to say a password."""
    with Redis.from_url(redis_url) as redis:
        redis.acl_setuser("bellboy", enabled=True, passwords=[f"+{REDIS}"], keys="*", channels="*", commands=["+@all"])
        yield redis_url.replace("//", f"//bellboy:{REDIS}@")
        redis.acl_deluser("bellboy")


@pytest.fixture
def relay(theirs: ssl.SSLContext) -> Iterator[ScriptedServer]:
    refused = {GONE: f"550 5.1.1 <{GONE}>: user unknown in local table"}
    offers = ("AUTH PLAIN", "PIPELINING", "ENHANCEDSTATUSCODES")
    with ScriptedServer(refused=refused, tls=theirs, offers=("STARTTLS",), offers_after_tls=offers) as server:
        yield server


@pytest.fixture
def service(postgresql_url, redis_with_password, relay, feed, tmp_path) -> Iterator[tuple[Production, RunningService]]:
    """A town whose processes know a password for everything, and are as talkative as can be."""
    url = postgresql_url.replace("//postgres@", f"//postgres:{DATABASE}@")
    relay_url = f"smtp://press:{RELAY}@{relay.host}:{relay.port}"
    allowed = f"127.0.0.1:{feed.port}"
    with (
        founded(url, feed.url("/feed.xml")) as database,
        production(url, redis_with_password, relay_url, tmp_path, level="debug", FEED_ALLOW=allowed) as made,
        connected_wakeups(redis_with_password) as bell,
        visited(made.base_url, database, bell, feed, lambda: [opened(letter.body) for letter in relay.letters]) as town,
    ):
        yield made, town


def opened(source: bytes) -> EmailMessage:
    return BytesParser(policy=default).parsebytes(source)


@contextmanager
def closed(database: Database, table: str) -> Iterator[None]:
    """A table that takes no row: PostgreSQL quotes each one that it refuses."""
    with database.writing() as session:
        session.execute(sql(f"ALTER TABLE {table} ADD CONSTRAINT closed CHECK (false) NOT VALID"))
    yield
    with database.writing() as session:
        session.execute(sql(f"ALTER TABLE {table} DROP CONSTRAINT closed"))


def tokens(letters: list[EmailMessage], base_url: str) -> set[str]:
    """What every link in these letters opens with: after the key's name, as far as nobody would guess it."""
    words: set[str] = set()
    for letter in letters:
        html = letter.get_body(("html",))
        assert html
        words |= {word.strip("<>") for word in [*str(letter["List-Unsubscribe"]).split(), *text(letter).split()]}
        words |= {str(a.attributes.get("href")) for a in LexborHTMLParser(html.get_content()).css("a[href]")}
    paths = [urlsplit(word).path for word in words if word.startswith(base_url)]
    return {path.rpartition("/")[2].partition(".")[2][:16] for path in paths if path.count("/") == 2 and "." in path}


def meet_with_every_trouble(town: RunningService, links: list[str]) -> None:
    """A row that the database refuses to the site, and to the worker; broken links; addresses where none belong."""
    with closed(town.database, "signups"), pytest.raises(StepFailed, match="500"):
        town.visitor.sign_up("morning", ODD, "")
    with closed(town.database, "deliveries"):
        town.visitor.sign_up("morning", ODD, "")
        eventually(lambda: states(town, Signup.state, SignupState.FAILED), within=PATIENCE)
    browser = town.visitor.browser
    for link in links:
        browser.get(link[:-1])
        browser.post(link[:-1], data={"List-Unsubscribe": "One-Click"})
    browser.get("/n/morning", params={"email": ANA, "name": NAME})
    browser.get(f"/archive/{ANA}")
    browser.post("/subscribe", params={"email": ANA}, data={"email": f"{ANA}@"})
    browser.post("/subscribe", json={"email": [ANA], "name": {"first": NAME}})


def states(town: RunningService, column: Any, state: str) -> int:
    """How many rows are in that state."""
    with town.database.reading() as session:
        return session.scalar(select(func.count()).where(column == state)) or 0


def test_no_process_tells_whom_it_writes_to_or_what_acts_for_them(service, relay):
    made, town = service
    town.subscribes(ANA, NAME)
    town.subscribes(BEN)
    town.visitor.sign_up("morning", GONE, "")
    town.publishes("A bridge opens")
    town.fetches(articles=1)
    town.is_due("first")
    (asking, issue) = town.letters(ANA, 2)
    town.letters(BEN, 2)
    town.visitor.leave(issue)
    eventually(lambda: states(town, Delivery.status, DeliveryStatus.FAILED), within=PATIENCE)
    meet_with_every_trouble(town, [issue["List-Unsubscribe"].strip("<>"), link_in(asking, "/confirm/")])

    for process in made.processes:
        process.terminate()
        process.wait()
    said = "".join(process.output() for process in made.processes)
    for route in ("/subscribe", "/confirm/{token}", "/u/{token}"):
        assert f'"{route}"' in said, "the control: these acts were told"
    held = tokens(town.inbox(), made.base_url)
    assert len(held) > 6
    lower = said.lower()
    assert not [secret for secret in (*SECRETS, *READERS, *held) if secret.lower() in lower]
    assert [line for process in made.processes for line in process.output().splitlines() if not is_told(line)] == []


def link_in(letter: EmailMessage, path: str) -> str:
    return next(word for word in text(letter).split() if path in word)


def is_told(line: str) -> bool:
    """Whether a line is an event as programs read it."""
    try:
        return {"event", "level", "logger", "timestamp"} <= json.loads(line).keys()
    except (ValueError, AttributeError):
        return False
