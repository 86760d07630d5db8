"""SQLite's writers write one at a time, in order, and no writer waits for ever."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from threading import Barrier, Event, Thread, main_thread

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from newsletter.errors import Refused
from newsletter.store import write_lock
from newsletter.store.database import Database
from newsletter.store.write_lock import WriteLock
from tests.waiting import TIMEOUT, eventually
from tests.whole_service import whole_service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file with a table to write to."""
    with closing(sqlite3.connect(tmp_path / "entries.sqlite")) as connection:
        connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, writer TEXT)")
    return tmp_path / "entries.sqlite"


def add_entry(database: Database, writer: str) -> None:
    """Read, then write: a transaction that began as a reader would fail."""
    with database.writing() as session:
        number = session.scalar(text("SELECT coalesce(max(id), 0) + 1 FROM entries"))
        session.execute(text("INSERT INTO entries VALUES (:id, :writer)"), {"id": number, "writer": writer})


def entries(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(text("SELECT writer FROM entries ORDER BY id")))


def queue_length(file: Path) -> int:
    """Return how many writers to this file hold the write lock or wait for it."""
    return len(write_lock._write_locks[str(file)]._queue)


def test_eight_threads_that_write_at_once_all_succeed(file):
    with closing(Database(f"sqlite:///{file}")) as database, ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda number: add_entry(database, str(number)), range(200)))
        assert sorted(entries(database), key=int) == [str(number) for number in range(200)]


def test_writers_write_in_order_also_through_different_engines(file):
    with closing(Database(f"sqlite:///{file}")) as site, closing(Database(f"sqlite:///{file}")) as workers:
        with site.writing() as session:
            session.execute(text("INSERT INTO entries (writer) VALUES ('first')"))
            threads = []
            for number, database in enumerate(islice(cycle([workers, site]), 12)):
                threads.append(Thread(target=add_entry, args=(database, str(number))))
                threads[-1].start()
                eventually(lambda number=number: queue_length(file) == number + 2)
        for thread in threads:
            thread.join()
        assert entries(workers) == ["first", *(str(number) for number in range(12))]


def test_an_idle_writing_session_blocks_no_other_writer(file):
    with closing(Database(f"sqlite:///{file}")) as database, database.writing():
        add_entry(database, "meanwhile")
        assert entries(database) == ["meanwhile"]


def test_sixty_simultaneous_unsubscribes_are_all_answered(sqlite_url, tmp_path):
    # More than the site has threads: if sessions took the write lock when they open, the site would deadlock.
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        link = service.link(service.reader("ana@example.org"), "u")
        statuses = []

        def press() -> None:
            statuses.append(service.browser.post(link, data={"List-Unsubscribe": "One-Click"}).status_code)

        for _ in range(60):
            Thread(target=press, daemon=True).start()
        assert eventually(lambda: len(statuses) == 60)
        assert set(statuses) == {200}


def insert_twice(session: Session) -> None:
    session.execute(text("INSERT INTO entries VALUES (1, 'a'), (1, 'b')"))


def insert_and_raise(session: Session) -> None:
    session.execute(text("INSERT INTO entries (writer) VALUES ('nobody')"))
    raise Refused


def insert_and_disconnect(session: Session) -> None:
    session.execute(text("INSERT INTO entries (writer) VALUES ('nobody')"))
    session.connection().invalidate()


def write(database: Database, work: Callable[[Session], None]) -> None:
    with database.writing() as session:
        work(session)


@pytest.mark.parametrize("failing", [insert_twice, insert_and_raise, insert_and_disconnect])
def test_a_failing_writer_writes_nothing_and_releases_the_lock(file, failing):
    with closing(Database(f"sqlite:///{file}")) as database:
        with pytest.raises((SQLAlchemyError, Refused)):
            write(database, failing)
        assert queue_length(file) == 0
        add_entry(database, "next")
        assert entries(database) == ["next"]


def test_a_waiter_that_is_interrupted_does_not_block_the_others():
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    lock, passed = WriteLock(), Event()
    lock.acquire()
    behind = Thread(target=lambda: (lock.acquire(), passed.set(), lock.release()), daemon=True)
    usual = signal.signal(signal.SIGUSR1, interrupt)

    def disturb() -> None:
        eventually(lambda: len(lock._queue) == 2)
        behind.start()
        eventually(lambda: len(lock._queue) == 3)
        signal.pthread_kill(main_thread().ident, signal.SIGUSR1)

    try:
        Thread(target=disturb, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()
    finally:
        signal.signal(signal.SIGUSR1, usual)
    assert not passed.is_set()
    lock.release()
    assert passed.wait(TIMEOUT)
    behind.join()
    assert not lock._queue


def test_several_threads_may_open_a_new_file_at_once(tmp_path):
    for attempt in range(20):
        together = Barrier(4)

        def write(
            number: int, url: str = f"sqlite:///{tmp_path}/{attempt}.sqlite", together: Barrier = together
        ) -> None:
            with closing(Database(url)) as database:
                together.wait()
                with database.writing() as session:
                    session.execute(text("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, writer TEXT)"))
                add_entry(database, str(number))
                assert str(number) in entries(database)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))


WRITER = """
import sys
from sqlalchemy import text
from newsletter.store.database import Database
from newsletter.errors import Refused
database = Database(sys.argv[1])
for number in range(50):
    with database.writing() as session:
        session.scalar(text("SELECT max(id) FROM entries"))
        session.execute(text("INSERT INTO entries (writer) VALUES (:writer)"), {"writer": f"{sys.argv[2]}{number}"})
"""


def test_two_processes_can_write_to_one_file(file):
    url = f"sqlite:///{file}"
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, url, writer]) for writer in "ab"]
    assert [process.wait(60) for process in processes] == [0, 0]
    with closing(Database(url)) as database:
        assert sorted(entries(database)) == sorted(f"{writer}{number}" for writer in "ab" for number in range(50))
