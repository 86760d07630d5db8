"""A timed query answers in time, and runs once for all simultaneous callers."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import text

from newsletter.web.monitoring.timed_query import TimedQuery
from tests.clock import NOON
from tests.servers.databases import opened
from tests.servers.server import free_port
from tests.waiting import TIMEOUT, eventually


class CountingQuery:
    """Returns how often it has run, once it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.runs = 0

    def __call__(self, session, now) -> int:
        self.runs += 1
        self.released.wait(TIMEOUT)
        return self.runs


def results(timed: TimedQuery, *, callers: int = 1, then: Callable[[], None] = lambda: None) -> list:
    """Return the results of simultaneous callers; `then` is called once all of them wait."""

    async def together() -> list:
        waiting = [asyncio.create_task(timed.run(now=NOON)) for _ in range(callers)]
        await asyncio.sleep(0)
        then()
        return await asyncio.gather(*waiting)

    return asyncio.run(together())


def timed_query(url, query, *, timeout: float = TIMEOUT, max_age: float = 0) -> closing[TimedQuery]:
    return closing(TimedQuery(opened(url), query, timeout=timeout, statement_timeout=0.2, max_age=max_age))


def test_simultaneous_callers_share_a_result_and_later_ones_get_a_new_one(sqlite_url):
    query = CountingQuery()
    with timed_query(sqlite_url, query) as timed:
        for run in (1, 2):
            query.released.clear()
            assert results(timed, callers=20, then=query.released.set) == [run] * 20


def test_a_result_is_shared_while_it_is_fresh(sqlite_url):
    query = CountingQuery()
    query.released.set()
    with timed_query(sqlite_url, query, max_age=600) as timed:
        assert [results(timed, callers=5) for _ in range(5)] == [[1] * 5] * 5


def test_a_slow_query_times_out_and_does_not_run_twice_at_once(sqlite_url):
    query = CountingQuery()
    with timed_query(sqlite_url, query, timeout=0.05) as timed:
        assert [results(timed, callers=5) for _ in range(3)] == [[None] * 5] * 3
        assert query.runs <= 1
        query.released.set()
        assert eventually(lambda: (results(timed)[0] or 0) > 1)


def test_the_database_ends_a_statement_that_takes_too_long(postgresql_url):
    def sleep(session, now):
        return session.scalar(text("SELECT 1 FROM pg_sleep(60)"))

    with timed_query(postgresql_url, sleep) as timed:
        assert results(timed) == [None]


def test_without_a_database_the_result_is_none():
    with timed_query(f"postgresql+psycopg://n@127.0.0.1:{free_port()}/n", CountingQuery()) as timed:
        assert results(timed) == [None]


def test_an_error_in_the_query_is_raised(sqlite_url):
    def divide(session, now):
        return 1 // 0

    with timed_query(sqlite_url, divide) as timed:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                results(timed)
