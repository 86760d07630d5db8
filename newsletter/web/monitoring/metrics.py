"""Metrics: the census in Prometheus' words, for this machine or for who has the token.

Everything but the process's own figures is read from the database, so all web processes say the same, and none forgets
what it counted when it ends. What can become fewer is a gauge: the ledger alone is never shortened, so its entries are
the one counter. Labels are states and slugs, never an address nor anybody's words.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hmac import compare_digest
from importlib.metadata import version
from math import inf
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from newsletter.doctor import counts
from newsletter.doctor.counts import Counts
from newsletter.errors import NotFound
from newsletter.mail.letters.letters import Priority
from newsletter.store.database import Database
from newsletter.web.loopback import is_here
from newsletter.web.monitoring.timed_query import TimedQuery

PATIENCE = 9.0  # seconds; Prometheus gives up after ten, unless told otherwise
STATEMENT = 8.0  # seconds; a million deliveries are counted in less than one
FRESH = 5.0  # seconds that a census is kept

router = APIRouter()


def lookout(database: Database) -> TimedQuery[Counts]:
    """What this page asks."""
    return TimedQuery(
        database,
        lambda session, now: counts.count(session, now=now),
        patience=PATIENCE,
        statement=STATEMENT,
        fresh=FRESH,
    )


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """What there is of everything. Where the database is away, that, and the process's own figures."""
    if not (is_here(request) or _has_token(request)):
        raise NotFound
    now = request.app.state.site.now()
    counted = await request.app.state.census.ask(now=now)
    registry = CollectorRegistry()
    registry.register(Translated(counted, now))
    ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": media_type, "Cache-Control": "no-store"})


class Translated(Collector):
    """A census as metric families."""

    def __init__(self, counted: Counts | None, now: datetime) -> None:
        self._counted = counted
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Every family, in the order in which letters come about."""
        yield _gauge("build_info", "The release that answers.", ("version",), {(version("newsletter"),): 1})
        yield _one("database_up", "Whether the database has answered.", self._counted is not None)
        if self._counted:
            yield from _people(self._counted)
            yield from _content(self._counted)
            yield from _post(self._counted)
            yield from _ages(self._counted, self._now)


def _people(counted: Counts) -> Iterator[Metric]:
    yield _gauge("signups", "Posted forms that are kept, by state.", ("state",), counted.signups)
    yield _gauge(
        "subscriptions",
        "Addresses by newsletter and by what the ledger says of them.",
        ("newsletter", "standing"),
        counted.subscriptions,
    )
    events = CounterMetricFamily(
        "newsletter_consent_events", "Entries of the consent ledger, by event.", labels=["event"]
    )
    for event, number in counted.events.items():
        events.add_metric([event], number)
    yield events


def _content(counted: Counts) -> Iterator[Metric]:
    feeds = {"ok": counted.feeds.ok, "failing": counted.feeds.failing}
    yield _gauge("feeds", "Feeds, by whether they were read when last asked.", ("state",), feeds)
    yield _one("feeds_due", "Feeds whose turn it is to be asked.", counted.feeds.due)
    yield _one("articles", "Articles that the feeds have offered.", counted.articles)
    yield _gauge("issues", "Issues, by status.", ("status",), counted.issues)


def _post(counted: Counts) -> Iterator[Metric]:
    letters = counted.letters
    yield _gauge("letters", "Letters owed to one reader each, by kind and state.", ("kind", "state"), letters.states)
    yield _one("claims", "How often the letters on record were taken to be carried.", letters.claims)
    replies = {"2xx": 2, "4xx": 4, "5xx": 5, "none": None}
    yield _gauge(
        "replies",
        "The relay's last replies to the letters on record, by class.",
        ("class",),
        {name: letters.replies.get(digit, 0) for name, digit in replies.items()},
    )
    yield _gauge(
        "relay_troubles",
        "Relays that are slowed down, halted for now, or lastingly so until somebody mends it.",
        ("relay", "how"),
        counted.relays,
    )


def _ages(counted: Counts, now: datetime) -> Iterator[Metric]:
    """In seconds; where nothing waits, zero. Before the first tick its age is infinite: an alarm has to ring then."""

    def age(at: datetime | None) -> float:
        return max((now - at).total_seconds(), 0.0) if at else 0.0

    queues = {Priority.URGENT: counted.queue_age.urgent, Priority.BULK: counted.queue_age.bulk}
    ages = {priority.name.lower(): age(at) for priority, at in queues.items()}
    yield _gauge("queue_age_seconds", "For how long the first letter in the queue has been due.", ("priority",), ages)
    yield _one("signup_age_seconds", "For how long a form has waited for its letter.", age(counted.queue_age.signup))
    yield _one("oldest_due_letter_age_seconds", "The longest of these waits.", age(counted.queue_age.oldest))
    yield _one("oldest_due_feed_age_seconds", "For how long a feed has waited its turn.", age(counted.feeds.due_since))
    tick = age(counted.last_heartbeat) if counted.last_heartbeat else inf
    yield _one("tick_age_seconds", "Since when no worker has answered the beat.", tick)


def _one(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"newsletter_{name}", says, value=value)


def _gauge(name: str, says: str, labels: Iterable[str], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(f"newsletter_{name}", says, labels=tuple(labels))
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else key, value)
    return family


def _has_token(request: Request) -> bool:
    """Whether the request brings the token of the settings (RFC 6750 section 2.1)."""
    expected: str | None = request.app.state.site.settings.metrics_token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not expected or scheme.lower() != "bearer":
        return False
    return compare_digest(given.strip().encode(), expected.encode())
