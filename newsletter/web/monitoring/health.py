"""Health checks: whether the site answers, whether it can serve, and whether the workers keep up.

A supervisor polls `/health/live` and restarts a process that does not answer. A load balancer polls `/health/ready` and
sends visitors elsewhere. An uptime monitor polls `/health/work` and alerts a person. Only the monitor learns of late
work: a load balancer would take the site down, although it still accepts sign-ups and only the workers are at fault.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from newsletter import migrations
from newsletter.content.feeds import feeds
from newsletter.doctor import feed_age, queue_age
from newsletter.mail.pace import notices
from newsletter.migrations import SchemaState
from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.store.database import Database
from newsletter.store.database_errors import UNAVAILABLE, is_unavailable
from newsletter.web.loopback import is_from_this_machine
from newsletter.web.monitoring.storage import Storage, StorageState
from newsletter.web.monitoring.timed_query import TimedQuery

ANSWER_TIMEOUT = 3.0  # seconds; most monitors give up after five
STATEMENT_TIMEOUT = 1.0  # seconds for one statement
HEARTBEAT_LATE = timedelta(seconds=60)  # twelve heartbeats: a worker that restarts misses fewer
LETTER_LATE = timedelta(minutes=5)  # a visitor waits for a confirmation; deferred letters of issues get a new due time

router = APIRouter(prefix="/health")


class RelayStatus(NamedTuple):
    """A notice of the workers about a relay."""

    notice: str
    is_late: bool  # nothing is sent over it, and either that needs an operator or it has lasted over LETTER_LATE


class HealthReading(NamedTuple):
    """The database's schema and, if `has_ages`, the time of the last heartbeat, and of letter and feed longest due."""

    schema: SchemaState
    has_ages: bool = False
    last_heartbeat: datetime | None = None
    oldest_due: datetime | None = None
    relays: tuple[RelayStatus, ...] = ()
    oldest_due_feed: datetime | None = None
    database: StorageState = StorageState.OK
    outbox: StorageState = StorageState.OK


def timed_query(
    database: Database,
    settings: Settings,
    *,
    pages: Database,
    timeout: float = ANSWER_TIMEOUT,
    statement_timeout: float = STATEMENT_TIMEOUT,
) -> TimedQuery[HealthReading]:
    """Return the query of the health pages; the site's other pages use the database `pages`."""
    storage = Storage.of(settings, pages)

    def read_all(session: Session, now: datetime) -> HealthReading:
        # First, because `read` ends the transaction if a table is locked.
        database_state, outbox_state = storage.database_state(session), storage.outbox_state()
        return read(session, now)._replace(database=database_state, outbox=outbox_state)

    return TimedQuery(database, read_all, timeout=timeout, statement_timeout=statement_timeout)


def read(session: Session, now: datetime) -> HealthReading:
    """Read the state of the schema and, unless it is behind this code, the age of heartbeats, letters and feeds."""
    schema = migrations.state(session.connection())
    if schema is SchemaState.BEHIND:
        return HealthReading(schema)
    try:
        heartbeat, due = heartbeats.last(session, Queue.UPKEEP), queue_age.measure(session, now=now).oldest
        relays = tuple(
            RelayStatus(notice.line, notice.lasting or (notice.halted and now - notice.since > LETTER_LATE))
            for notice in notices.current(session, now=now)
        )
        return HealthReading(schema, True, heartbeat, due, relays, feed_age.oldest_due(session, now=now))
    except UNAVAILABLE as error:  # a locked table or a slow query does not mean that the database is away
        if not is_unavailable(error):
            raise
        session.rollback()
        return HealthReading(schema)


@router.get("/live")
async def live() -> JSONResponse:
    """Answer 200. It waits for nothing, not even for a free thread, so only a dead process fails it."""
    return _response({"status": "live"}, is_ok=True)


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """Answer 503 if the site cannot serve: its database is away, full or read-only, or the schema is too old.

    A newer schema is fine, because migrations only add: during an upgrade both releases run side by side. Late
    heartbeats, letters and feeds are reported but do not change the status (see above).
    """
    body = await _report(request)
    return _response(body, is_ok=body["status"] == "ready")


@router.get("/work")
async def work(request: Request) -> JSONResponse:
    """Answer the same body, with 503 if anything is late or if the site cannot serve."""
    body = await _report(request)
    return _response(body, is_ok=body["status"] == "ready" and not body["late"])


async def _report(request: Request) -> dict[str, Any]:
    """Return the body. Only requests from this machine see notices about relays, for these name the relays."""
    now = request.app.state.site.now()
    reading = await request.app.state.health.run(now=now)
    relays = [relay.notice for relay in reading.relays] if reading else []
    return report(reading, now=now) | ({"relays": relays} if relays and is_from_this_machine(request) else {})


def report(reading: HealthReading | None, *, now: datetime) -> dict[str, Any]:
    """Return the body for a reading, ages in seconds. A reading of None means that the database is away.

    It names the outbox only if nothing can be written there.
    """
    can_write = reading is not None and reading.database is reading.outbox is StorageState.OK
    serves = reading is not None and reading.schema is not SchemaState.BEHIND and can_write
    return {
        "status": "ready" if serves else "not ready",
        "database": reading.database if reading else "away",
        **({"outbox": reading.outbox} if reading and reading.outbox is not StorageState.OK else {}),
        "migrations": reading.schema if reading else None,
        "last_tick_age": _age(reading.last_heartbeat, now) if reading else None,
        "oldest_due_letter_age": _age(reading.oldest_due, now) if reading else None,
        "oldest_due_feed_age": _age(reading.oldest_due_feed, now) if reading else None,
        "late": _late(reading, now) if reading and reading.has_ages else ["unknown"],
    }


def _late(reading: HealthReading, now: datetime) -> list[str]:
    late = {
        "tick": reading.last_heartbeat is None or now - reading.last_heartbeat > HEARTBEAT_LATE,
        "letters": reading.oldest_due is not None and now - reading.oldest_due > LETTER_LATE,
        "feeds": reading.oldest_due_feed is not None and now - reading.oldest_due_feed > feeds.LATE,
        "relays": any(relay.is_late for relay in reading.relays),
    }
    return [name for name, is_late in late.items() if is_late]


def _age(at: datetime | None, now: datetime) -> float | None:
    """Return the seconds since `at`, at least zero: another machine's clock may be ahead of ours."""
    return round(max((now - at).total_seconds(), 0.0), 1) if at else None


def _response(body: dict[str, Any], *, is_ok: bool) -> JSONResponse:
    return JSONResponse(body, 200 if is_ok else 503, headers={"Cache-Control": "no-store"})
