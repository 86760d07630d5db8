"""A request whose transaction PostgreSQL ended in favour of another one is answered, and done once."""

import psycopg
import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from newsletter.store import conflicts
from newsletter.store.conflicts import MAX_ATTEMPTS
from newsletter.web.repetition import Repetition

DEADLOCK = OperationalError("", {}, psycopg.errors.DeadlockDetected())
SERIALIZATION = OperationalError("", {}, psycopg.errors.SerializationFailure())
LOCKED = OperationalError("", {}, psycopg.errors.LockNotAvailable())


class ConflictingSite:
    """Answers with what was posted, after failures; notes attempts and what is done after the answer."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.attempts = self.afterwards = 0
        self.commits = False
        app = FastAPI()
        app.add_middleware(Repetition)

        @app.post("/")
        async def answer(request: Request, afterwards: BackgroundTasks) -> PlainTextResponse:
            self.attempts += 1
            body = await request.body()
            afterwards.add_task(self._do_afterwards)
            if self.commits:
                conflicts.note_commit()
            if self.failures:
                raise self.failures.pop()
            return PlainTextResponse(body)

        @app.get("/stream")
        def stream() -> StreamingResponse:
            self.attempts += 1
            return StreamingResponse(self._broken())

        self.browser = TestClient(app)

    def _do_afterwards(self) -> None:
        self.afterwards += 1

    def _broken(self):
        yield b"begun"
        raise DEADLOCK


@pytest.mark.parametrize("error", [DEADLOCK, SERIALIZATION])
def test_a_request_that_met_another_one_is_answered_with_its_body_and_done_once(error):
    site = ConflictingSite()
    site.failures = [error] * (MAX_ATTEMPTS - 1)
    assert site.browser.post("/", content=b"hello").text == "hello"
    assert (site.attempts, site.afterwards) == (MAX_ATTEMPTS, 1)


def test_one_that_fails_each_time_fails_in_the_end():
    site = ConflictingSite()
    site.failures = [DEADLOCK] * MAX_ATTEMPTS
    with pytest.raises(OperationalError):
        site.browser.post("/")
    assert (site.attempts, site.afterwards) == (MAX_ATTEMPTS, 0)


def test_one_of_which_something_is_stored_and_one_that_failed_otherwise_are_not_repeated():
    for error, commits in [(DEADLOCK, True), (LOCKED, False), (ZeroDivisionError(), False)]:
        site = ConflictingSite()
        site.failures, site.commits = [error], commits
        with pytest.raises(type(error)):
            site.browser.post("/")
        assert site.attempts == 1


def test_an_answer_that_has_begun_is_not_repeated():
    site = ConflictingSite()
    with pytest.raises(OperationalError):
        site.browser.get("/stream")
    assert site.attempts == 1


def test_a_commit_counts_for_the_act_of_which_it_is_a_part():
    def act() -> None:
        conflicts.repeat(conflicts.note_commit)
        attempts.append(1)
        raise DEADLOCK

    attempts: list[int] = []
    with pytest.raises(OperationalError):
        conflicts.repeat(act)
    assert len(attempts) == 1
    with pytest.raises(OperationalError):
        conflicts.repeat(act, after_commits=True)
    assert len(attempts) == 1 + MAX_ATTEMPTS
