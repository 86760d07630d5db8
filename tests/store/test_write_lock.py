"""SQLite's writers: one at a time, in the order in which they came, and nobody waits for ever."""

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
from tests.waiting import eventually
from tests.whole_service import whole_service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file with a table to write to."""
    with closing(sqlite3.connect(tmp_path / "marks.sqlite")) as connection:
        connection.execute("CREATE TABLE marks (id INTEGER PRIMARY KEY, who TEXT)")
    return tmp_path / "marks.sqlite"


def mark(database: Database, who: str) -> None:
    """Read, then write: what fails at once in a transaction that begins as a reader."""
    with database.writing() as session:
        number = session.scalar(text("SELECT coalesce(max(id), 0) + 1 FROM marks"))
        session.execute(text("INSERT INTO marks VALUES (:id, :who)"), {"id": number, "who": who})


def marks(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(text("SELECT who FROM marks ORDER BY id")))


def line(file: Path) -> int:
    """How many writers to this file have the turn or wait for it."""
    return len(write_lock._turnstiles[str(file)]._line)


def test_eight_threads_that_write_at_once_lose_nothing_and_none_is_refused(file):
    with closing(Database(f"sqlite:///{file}")) as database, ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda number: mark(database, str(number)), range(200)))
        assert sorted(marks(database), key=int) == [str(number) for number in range(200)]


def test_writers_get_their_turn_in_the_order_in_which_they_came_whoever_opened_the_file(file):
    with closing(Database(f"sqlite:///{file}")) as site, closing(Database(f"sqlite:///{file}")) as works:
        with site.writing() as session:
            session.execute(text("INSERT INTO marks (who) VALUES ('first')"))
            threads = []
            for number, database in enumerate(islice(cycle([works, site]), 12)):
                threads.append(Thread(target=mark, args=(database, str(number))))
                threads[-1].start()
                eventually(lambda number=number: line(file) == number + 2)
        for thread in threads:
            thread.join()
        assert marks(works) == ["first", *(str(number) for number in range(12))]


def test_a_session_that_has_done_nothing_yet_keeps_nobody_waiting(file):
    with closing(Database(f"sqlite:///{file}")) as database, database.writing():
        mark(database, "meanwhile")
        assert marks(database) == ["meanwhile"]


def test_sixty_people_who_press_the_button_at_once_are_all_answered(sqlite_url, tmp_path):
    # More than the site has threads: did each take its turn before its page runs, no thread would be left to run one.
    with whole_service(sqlite_url, tmp_path) as stage:
        stage.newsletter()
        link = stage.link(stage.reader("ana@example.org"), "u")
        statuses = []

        def press() -> None:
            statuses.append(stage.browser.post(link, data={"List-Unsubscribe": "One-Click"}).status_code)

        for _ in range(60):
            Thread(target=press, daemon=True).start()
        assert eventually(lambda: len(statuses) == 60, within=30)
        assert set(statuses) == {200}


def doubled(session: Session) -> None:
    session.execute(text("INSERT INTO marks VALUES (1, 'a'), (1, 'b')"))


def given_up(session: Session) -> None:
    session.execute(text("INSERT INTO marks (who) VALUES ('nobody')"))
    raise Refused


def cut_off(session: Session) -> None:
    session.execute(text("INSERT INTO marks (who) VALUES ('nobody')"))
    session.connection().invalidate()


def write(database: Database, work: Callable[[Session], None]) -> None:
    with database.writing() as session:
        work(session)


@pytest.mark.parametrize("failing", [doubled, given_up, cut_off])
def test_a_writer_that_fails_leaves_nothing_behind_and_the_turn_to_the_next(file, failing):
    with closing(Database(f"sqlite:///{file}")) as database:
        with pytest.raises((SQLAlchemyError, Refused)):
            write(database, failing)
        assert line(file) == 0
        mark(database, "next")
        assert marks(database) == ["next"]


def test_whoever_is_interrupted_while_waiting_does_not_hold_up_those_behind():
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    stile, passed = WriteLock(), Event()
    stile.enter()
    behind = Thread(target=lambda: (stile.enter(), passed.set(), stile.leave()), daemon=True)
    usual = signal.signal(signal.SIGUSR1, interrupt)

    def disturb() -> None:
        eventually(lambda: len(stile._line) == 2)
        behind.start()
        eventually(lambda: len(stile._line) == 3)
        signal.pthread_kill(main_thread().ident, signal.SIGUSR1)

    try:
        Thread(target=disturb, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            stile.enter()
    finally:
        signal.signal(signal.SIGUSR1, usual)
    assert not passed.is_set()
    stile.leave()
    assert passed.wait(5)
    behind.join()
    assert not stile._line


def test_many_may_open_a_new_file_at_once(tmp_path):
    for attempt in range(20):
        together = Barrier(4)

        def write(
            number: int, url: str = f"sqlite:///{tmp_path}/{attempt}.sqlite", together: Barrier = together
        ) -> None:
            with closing(Database(url)) as database:
                together.wait()
                with database.writing() as session:
                    session.execute(text("CREATE TABLE IF NOT EXISTS marks (id INTEGER PRIMARY KEY, who TEXT)"))
                mark(database, str(number))
                assert str(number) in marks(database)

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
        session.scalar(text("SELECT max(id) FROM marks"))
        session.execute(text("INSERT INTO marks (who) VALUES (:who)"), {"who": f"{sys.argv[2]}{number}"})
"""


def test_two_processes_write_to_one_file_and_neither_is_refused(file):
    url = f"sqlite:///{file}"
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, url, who]) for who in "ab"]
    assert [process.wait(60) for process in processes] == [0, 0]
    with closing(Database(url)) as database:
        assert sorted(marks(database)) == sorted(f"{who}{number}" for who in "ab" for number in range(50))
