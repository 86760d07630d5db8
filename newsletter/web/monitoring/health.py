"""Health: whether the site answers, whether it can serve, and whether what is owed is done in time.

Three addresses for three who ask. A supervisor asks `/health/live`, and starts anew a process that does not answer. A
load balancer asks `/health/ready`, and sends visitors elsewhere. An uptime monitor asks `/health/work`, and calls
somebody. Late work is the monitor's affair alone: a load balancer that heard of it would take a site down that can
still take every sign-up, for what only the workers can mend.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from newsletter import migrations
from newsletter.doctor import queue_age
from newsletter.mail.pace import notices
from newsletter.migrations import SchemaState
from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue
from newsletter.store.database import Database
from newsletter.store.database_errors import UNAVAILABLE, is_unavailable
from newsletter.web.loopback import is_here
from newsletter.web.monitoring.timed_query import TimedQuery

PATIENCE = 3.0  # seconds until there is an answer; the usual monitor gives up after five
STATEMENT = 1.0  # seconds that one statement may take
TICK = timedelta(seconds=60)  # twelve beats: fewer may be missed while a worker restarts
LETTER = timedelta(minutes=5)  # somebody waits in front of a screen; an issue's letters are due again when deferred

router = APIRouter(prefix="/health")


class Word(NamedTuple):
    """What workers say of a relay."""

    says: str
    is_late: (
        bool  # nothing leaves over it, and that will not pass by itself, or has not for longer than letters may take
    )


class HealthReading(NamedTuple):
    """What a look at the database tells. The times are None where there is none, or where they were not told."""

    schema: SchemaState
    told: bool = False
    tick: datetime | None = None
    due: datetime | None = None
    relays: tuple[Word, ...] = ()


def lookout(database: Database) -> TimedQuery[HealthReading]:
    """What these pages ask."""
    return TimedQuery(database, examine, patience=PATIENCE, statement=STATEMENT)


def examine(session: Session, now: datetime) -> HealthReading:
    """Look at the schema, and if it has what this code needs, at what is owed."""
    schema = migrations.state(session.connection())
    if schema is SchemaState.BEHIND:
        return HealthReading(schema)
    try:
        tick, due = heartbeats.last(session, Queue.UPKEEP), queue_age.measure(session, now=now).oldest
        relays = tuple(
            Word(said.line, said.lasting or (said.halted and now - said.since > LETTER))
            for said in notices.current(session, now=now)
        )
        return HealthReading(schema, True, tick, due, relays)
    except UNAVAILABLE as error:  # a table that is being changed, or a long search: no reason to call the database away
        if not is_unavailable(error):
            raise
        session.rollback()
        return HealthReading(schema)


@router.get("/live")
async def live() -> JSONResponse:
    """That the process answers. It waits for nothing, not even for a free thread, so only a dead one does not."""
    return _answer({"status": "live"}, well=True)


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """503 if the site cannot serve: its database is away, or its schema older than the code.

    A newer schema is no hindrance, because migrations add: during an upgrade both releases run side by side. Late ticks
    and letters are told, and change nothing (see above).
    """
    body = await _report(request)
    return _answer(body, well=body["status"] == "ready")


@router.get("/work")
async def work(request: Request) -> JSONResponse:
    """The same, and 503 as soon as anything is late, or the database does not tell whether it is."""
    body = await _report(request)
    return _answer(body, well=not body["late"])


async def _report(request: Request) -> dict[str, Any]:
    """What is found; to who asks from this machine also what workers say of relays, whose names are nobody else's."""
    now = request.app.state.site.now()
    found = await request.app.state.health.ask(now=now)
    relays = [word.says for word in found.relays] if found else []
    return report(found, now=now) | ({"relays": relays} if relays and is_here(request) else {})


def report(found: HealthReading | None, *, now: datetime) -> dict[str, Any]:
    """What is found, in words and in seconds; None: the database is away."""
    serves = found is not None and found.schema is not SchemaState.BEHIND
    return {
        "status": "ready" if serves else "not ready",
        "database": "ok" if found else "away",
        "migrations": found.schema if found else None,
        "last_tick_age": _age(found.tick, now) if found else None,
        "oldest_due_letter_age": _age(found.due, now) if found else None,
        "late": _late(found, now) if found and found.told else ["unknown"],
    }


def _late(found: HealthReading, now: datetime) -> list[str]:
    late = {
        "tick": found.tick is None or now - found.tick > TICK,
        "letters": found.due is not None and now - found.due > LETTER,
        "relays": any(word.is_late for word in found.relays),
    }
    return [what for what, is_late in late.items() if is_late]


def _age(at: datetime | None, now: datetime) -> float | None:
    """Seconds since then; none below zero, which only two machines' clocks can bring about."""
    return round(max((now - at).total_seconds(), 0.0), 1) if at else None


def _answer(body: dict[str, Any], *, well: bool) -> JSONResponse:
    return JSONResponse(body, 200 if well else 503, headers={"Cache-Control": "no-store"})
