"""The lookout: answers in time, and asks once for all who ask at once."""

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
from tests.waiting import eventually


class Question:
    """Answers with how often it was asked, once it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.times = 0

    def __call__(self, session, now) -> int:
        self.times += 1
        self.let.wait(10)
        return self.times


def answers(lookout: TimedQuery, *, times: int = 1, then: Callable[[], None] = lambda: None) -> list:
    """What so many are told who ask at once; something may happen once all have asked."""

    async def together() -> list:
        asking = [asyncio.create_task(lookout.ask(now=NOON)) for _ in range(times)]
        await asyncio.sleep(0)
        then()
        return await asyncio.gather(*asking)

    return asyncio.run(together())


def looking(url, question, *, patience: float = 10, fresh: float = 0) -> closing[TimedQuery]:
    return closing(TimedQuery(opened(url), question, patience=patience, statement=0.2, fresh=fresh))


def test_who_asks_at_once_is_told_the_same_and_who_asks_later_what_is_new(sqlite_url):
    question = Question()
    with looking(sqlite_url, question) as lookout:
        for time in (1, 2):
            question.let.clear()
            assert answers(lookout, times=20, then=question.let.set) == [time] * 20


def test_an_answer_is_kept_while_it_is_fresh(sqlite_url):
    question = Question()
    question.let.set()
    with looking(sqlite_url, question, fresh=600) as lookout:
        assert [answers(lookout, times=5) for _ in range(5)] == [[1] * 5] * 5


def test_who_waits_too_long_is_told_nothing_and_the_question_is_not_asked_again_meanwhile(sqlite_url):
    question = Question()
    with looking(sqlite_url, question, patience=0.05) as lookout:
        assert [answers(lookout, times=5) for _ in range(3)] == [[None] * 5] * 3
        assert question.times <= 1
        question.let.set()
        assert eventually(lambda: (answers(lookout)[0] or 0) > 1)


def test_the_database_ends_a_statement_that_takes_too_long(postgresql_url):
    def sleep(session, now):
        return session.scalar(text("SELECT 1 FROM pg_sleep(60)"))

    with looking(postgresql_url, sleep) as lookout:
        assert answers(lookout) == [None]


def test_a_database_that_is_away_has_no_answer():
    with looking(f"postgresql+psycopg://n@127.0.0.1:{free_port()}/n", Question()) as lookout:
        assert answers(lookout) == [None]


def test_a_question_that_is_wrong_is_no_database_that_is_away(sqlite_url):
    def divide(session, now):
        return 1 // 0

    with looking(sqlite_url, divide) as lookout:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                answers(lookout)
