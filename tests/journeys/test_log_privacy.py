"""The processes' logs cover every step and error, and contain no personal data and no secret."""

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
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.store.database import Database
from tests.journeys.conftest import visited
from tests.journeys.running_service import RunningService, text, with_newsletter
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
    """The same Redis, for a user with a password."""
    with Redis.from_url(redis_url) as redis:
        redis.acl_setuser("bellboy", enabled=True, passwords=[f"+{REDIS}"], keys="*", channels="*", commands=["+@all"])
        yield redis_url.replace("//", f"//bellboy:{REDIS}@")
        redis.acl_deluser("bellboy")


@pytest.fixture
def relay(server_tls: ssl.SSLContext) -> Iterator[ScriptedServer]:
    refused = {GONE: f"550 5.1.1 <{GONE}>: user unknown in local table"}
    offers = ("AUTH PLAIN", "PIPELINING", "ENHANCEDSTATUSCODES")
    with ScriptedServer(refused=refused, tls=server_tls, offers=("STARTTLS",), offers_after_tls=offers) as server:
        yield server


@pytest.fixture
def processes_and_service(
    postgresql_url, redis_with_password, relay, feed, tmp_path
) -> Iterator[tuple[Production, RunningService]]:
    """The service with a password for every server, logging at level debug."""
    url = postgresql_url.replace("//postgres@", f"//postgres:{DATABASE}@")
    relay_url = f"smtp://press:{RELAY}@{relay.host}:{relay.port}"
    allowed = f"127.0.0.1:{feed.port}"
    with (
        with_newsletter(url, feed.url("/feed.xml")) as database,
        production(url, redis_with_password, relay_url, tmp_path, level="debug", FEED_ALLOW=allowed) as processes,
        connected_wakeups(redis_with_password) as wakeups,
        visited(
            processes.base_url, database, wakeups, feed, lambda: [parsed(letter.body) for letter in relay.letters]
        ) as service,
    ):
        yield processes, service


def parsed(source: bytes) -> EmailMessage:
    return BytesParser(policy=default).parsebytes(source)


@contextmanager
def closed(database: Database, table: str) -> Iterator[None]:
    """Let a table refuse every row; PostgreSQL's error quotes the refused row."""
    with database.writing() as session:
        session.execute(sql(f"ALTER TABLE {table} ADD CONSTRAINT closed CHECK (false) NOT VALID"))
    yield
    with database.writing() as session:
        session.execute(sql(f"ALTER TABLE {table} DROP CONSTRAINT closed"))


def tokens(letters: list[EmailMessage], base_url: str) -> set[str]:
    """Return the first 16 characters of each link's token, after the key's name."""
    words: set[str] = set()
    for letter in letters:
        html = letter.get_body(("html",))
        assert html
        words |= {word.strip("<>") for word in [*str(letter["List-Unsubscribe"]).split(), *text(letter).split()]}
        words |= {str(a.attributes.get("href")) for a in LexborHTMLParser(html.get_content()).css("a[href]")}
    paths = [urlsplit(word).path for word in words if word.startswith(base_url)]
    return {path.rpartition("/")[2].partition(".")[2][:16] for path in paths if path.count("/") == 2 and "." in path}


def cause_errors(service: RunningService, links: list[str]) -> None:
    """Cause database errors in site and worker, follow broken links, and put addresses where none belong."""
    with closed(service.database, "signups"), pytest.raises(StepFailed, match="500"):
        service.visitor.sign_up("morning", ODD, "")
    with closed(service.database, "deliveries"):
        service.visitor.sign_up("morning", ODD, "")
        eventually(lambda: states(service, Signup.state, SignupState.FAILED))
    browser = service.visitor.browser
    for link in links:
        browser.get(link[:-1])
        browser.post(link[:-1], data={"List-Unsubscribe": "One-Click"})
    browser.get("/n/morning", params={"email": ANA, "name": NAME})
    browser.get(f"/archive/{ANA}")
    browser.post("/subscribe", params={"email": ANA}, data={"email": f"{ANA}@"})
    browser.post("/subscribe", json={"email": [ANA], "name": {"first": NAME}})


def states(service: RunningService, column: Any, state: str) -> int:
    """Return the number of rows in a state."""
    with service.database.reading() as session:
        return session.scalar(select(func.count()).where(column == state)) or 0


def test_no_log_contains_an_address_a_name_a_token_or_a_secret(processes_and_service, relay):
    processes, service = processes_and_service
    service.subscribe(ANA, NAME)
    service.subscribe(BEN)
    service.visitor.sign_up("morning", GONE, "")
    service.publish("A bridge opens")
    service.fetch(articles=1)
    service.run_digest()
    (confirmation, issue) = service.letters(ANA, 2)
    service.letters(BEN, 2)
    service.visitor.leave(issue)
    eventually(lambda: states(service, Delivery.status, DeliveryStatus.FAILED))
    cause_errors(service, [issue["List-Unsubscribe"].strip("<>"), link_in(confirmation, "/confirm/")])

    for process in processes.processes:
        process.terminate()
        process.wait()
    output = "".join(process.output() for process in processes.processes)
    for route in ("/subscribe", "/confirm/{token}", "/u/{token}"):
        assert f'"{route}"' in output, "the control: these requests were logged"
    secret_tokens = tokens(service.inbox(), processes.base_url)
    assert len(secret_tokens) > 6
    lower = output.lower()
    assert not [secret for secret in (*SECRETS, *READERS, *secret_tokens) if secret.lower() in lower]
    assert [
        line for process in processes.processes for line in process.output().splitlines() if not is_event(line)
    ] == []


def link_in(letter: EmailMessage, path: str) -> str:
    return next(word for word in text(letter).split() if path in word)


def is_event(line: str) -> bool:
    """Return whether a line is a JSON log event."""
    try:
        return {"event", "level", "logger", "timestamp"} <= json.loads(line).keys()
    except (ValueError, AttributeError):
        return False
