"""Metrics for Prometheus: the counts of all rows, for requests from this machine or with the token.

All figures but the process's own come from the database, so every web process reports the same ones, and a restart
loses none. A figure that can decrease is a gauge. Only the ledger never shrinks, so its entries are the one counter.
Labels are states, slugs and relays, never an address or text that a person wrote.
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
from newsletter.web.loopback import is_from_this_machine
from newsletter.web.monitoring.timed_query import TimedQuery

ANSWER_TIMEOUT = 9.0  # seconds; by default Prometheus gives up after ten
STATEMENT_TIMEOUT = 8.0  # seconds; counting a million deliveries takes less than one
MAX_AGE = 5.0  # seconds for which counts are shared between requests

router = APIRouter()


def timed_query(database: Database) -> TimedQuery[Counts]:
    """Return the query of this page."""
    return TimedQuery(
        database,
        lambda session, now: counts.count(session, now=now),
        timeout=ANSWER_TIMEOUT,
        statement_timeout=STATEMENT_TIMEOUT,
        max_age=MAX_AGE,
    )


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return all metrics. If the database is away: that fact and the process's own figures."""
    if not (is_from_this_machine(request) or _has_token(request)):
        raise NotFound
    now = request.app.state.site.now()
    counted = await request.app.state.counts.run(now=now)
    registry = CollectorRegistry()
    registry.register(CountsCollector(counted, now))
    ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": media_type, "Cache-Control": "no-store"})


class CountsCollector(Collector):
    """Turns counts into metric families."""

    def __init__(self, counted: Counts | None, now: datetime) -> None:
        self._counted = counted
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        yield _gauge("build_info", "The release that is running.", ("version",), {(version("newsletter"),): 1})
        yield _single("database_up", "Whether the database answered in time.", self._counted is not None)
        if self._counted:
            yield from _people(self._counted)
            yield from _pressure(self._counted, self._now)
            yield from _content(self._counted)
            yield from _mail(self._counted)
            yield from _ages(self._counted, self._now)


def _people(counted: Counts) -> Iterator[Metric]:
    yield _gauge("signups", "Stored sign-ups, by state.", ("state",), counted.signups)
    yield _gauge(
        "subscriptions",
        "Subscriptions, by newsletter and standing.",
        ("newsletter", "standing"),
        counted.subscriptions,
    )
    events = CounterMetricFamily(
        "newsletter_consent_events", "Entries of the consent ledger, by event.", labels=["event"]
    )
    for event, number in counted.events.items():
        events.add_metric([event], number)
    yield events


def _pressure(counted: Counts, now: datetime) -> Iterator[Metric]:
    letters, waiting, since, lapsed = counted.pressure
    yield _single("confirmations_last_hour", "Confirmation letters owed in the last hour, which limits bound.", letters)
    yield _single("slow_lane_signups", "Sign-ups over a limit, which wait for their turn in the slow lane.", waiting)
    yield _single("slow_lane_age_seconds", "How long the oldest of them has waited.", _age(since, now))
    yield _single("slow_lane_lapsed_last_hour", "Sign-ups that had no turn in time and lapsed.", lapsed)


def _content(counted: Counts) -> Iterator[Metric]:
    feeds = {"ok": counted.feeds.ok, "failing": counted.feeds.failing, "paused": counted.feeds.paused}
    yield _gauge("feeds", "Feeds, by whether the last fetch succeeded or they are paused.", ("state",), feeds)
    yield _single("feeds_due", "Feeds that are due to be fetched.", counted.feeds.due)
    yield _single("articles", "Articles read from feeds.", counted.articles)
    yield _gauge("issues", "Issues, by status.", ("status",), counted.issues)


def _mail(counted: Counts) -> Iterator[Metric]:
    letters = counted.letters
    yield _gauge("letters", "Deliveries, by the letter's kind and their state.", ("kind", "state"), letters.states)
    yield _single(
        "claims", "Claims of the stored deliveries, also of letters that were released unsent.", letters.claims
    )
    replies = {"2xx": 2, "4xx": 4, "5xx": 5, "none": None}
    yield _gauge(
        "replies",
        "The relay's last replies to the stored deliveries, by class.",
        ("class",),
        {name: letters.replies.get(digit, 0) for name, digit in replies.items()},
    )
    yield _gauge(
        "relay_troubles",
        "Relays that are slowed down, halted for a while, or halted until an operator fixes them.",
        ("relay", "how"),
        counted.relays,
    )


def _ages(counted: Counts, now: datetime) -> Iterator[Metric]:
    """Yield ages in seconds, zero if nothing waits. Without a heartbeat its age is infinite, so that an alert fires."""
    age = counted.queue_age
    queues = {Priority.URGENT: age.urgent, Priority.BULK: age.bulk, Priority.SOON: age.soon}
    ages = {priority.name.lower(): _age(at, now) for priority, at in queues.items()}
    yield _gauge("queue_age_seconds", "How long the oldest letter in the queue has been due.", ("priority",), ages)
    yield _single("signup_age_seconds", "How long the oldest sign-up has waited.", _age(counted.queue_age.signup, now))
    yield _single("oldest_due_letter_age_seconds", "The longest of these waits.", _age(counted.queue_age.oldest, now))
    yield _single("oldest_due_feed_age_seconds", "How long a feed has been due.", _age(counted.feeds.due_since, now))
    heartbeat = _age(counted.last_heartbeat, now) if counted.last_heartbeat else inf
    yield _single("tick_age_seconds", "Time since the last heartbeat of a worker.", heartbeat)


def _age(at: datetime | None, now: datetime) -> float:
    """Return an age in seconds, zero without a time."""
    return max((now - at).total_seconds(), 0.0) if at else 0.0


def _single(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"newsletter_{name}", help_text, value=value)


def _gauge(name: str, help_text: str, labels: Iterable[str], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(f"newsletter_{name}", help_text, labels=tuple(labels))
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else key, value)
    return family


def _has_token(request: Request) -> bool:
    """Whether the request has the configured bearer token (RFC 6750 section 2.1)."""
    expected: str | None = request.app.state.site.settings.metrics_token
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not expected or scheme.lower() != "bearer":
        return False
    return compare_digest(token.strip().encode(), expected.encode())
