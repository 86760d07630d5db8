"""Database errors are classified alike on SQLite and PostgreSQL, and logged without quoting a row."""

import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from threading import Barrier

import pytest
from sqlalchemy import Insert, insert, text
from sqlalchemy.exc import DBAPIError, StatementError

from newsletter import redaction
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.store.database import Database
from newsletter.store.database_errors import first_line, is_bad_data, is_conflict, is_unavailable
from tests.clock import NOON


def failure(begin, statement) -> Exception:
    with pytest.raises((DBAPIError, StatementError)) as failed, begin() as session:
        session.execute(statement)
    return failed.value


def an_operator(address: str, at: datetime = NOON) -> Insert:
    return insert(Operator).values(address=address, role=Role.VIEWER, created_at=at)


def test_a_second_row_of_the_same_key_is_bad_data_and_the_database_is_available(begin):
    with begin() as session:
        session.execute(an_operator("ana@example.org"))

    error = failure(begin, an_operator("ana@example.org"))

    assert (is_bad_data(error), is_unavailable(error), is_conflict(error)) == (True, False, False)


def test_a_value_that_its_column_cannot_take_is_bad_data(begin):
    error = failure(begin, an_operator("ana@example.org", at=NOON.replace(tzinfo=None)))

    assert (is_bad_data(error), is_unavailable(error), is_conflict(error)) == (True, False, False)


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path):
    with closing(Database(f"sqlite:///{tmp_path}/nowhere/newsletter.db")) as missing:
        error = failure(missing.writing, text("SELECT 1"))

    assert (is_unavailable(error), is_bad_data(error), is_conflict(error)) == (True, False, False)


def test_a_faulty_statement_is_neither_and_keeps_its_traceback_in_the_log(begin, caplog):
    error = failure(begin, text("SELECT * FROM nowhere"))
    with caplog.at_level(logging.WARNING):
        redaction.log_failure(logging.getLogger("newsletter.test"), "a look failed", error, issue=7)

    (record,) = caplog.records
    assert (is_unavailable(error), is_bad_data(error), is_conflict(error)) == (False, False, False)
    assert record.getMessage() == f"a look failed: {type(error).__name__}"
    assert (record.levelname, record.issue, bool(record.exc_info)) == ("ERROR", 7, True)


def test_of_two_transactions_that_wait_for_each_other_one_ends_as_a_conflict(postgresql_database):
    update = text("UPDATE operators SET role = 'viewer' WHERE address = :address")
    have_both_begun = Barrier(2, timeout=60)
    with postgresql_database.writing() as session:
        session.execute(an_operator("a"))
        session.execute(an_operator("b"))

    def cross(first: str, second: str) -> None:
        with postgresql_database.writing() as session:
            session.execute(update, {"address": first})
            have_both_begun.wait()
            session.execute(update, {"address": second})

    with ThreadPoolExecutor(2) as threads:
        crossings = [threads.submit(cross, "a", "b"), threads.submit(cross, "b", "a")]
        (error,) = filter(None, [crossing.exception() for crossing in crossings])
    assert is_conflict(error)
    assert not is_bad_data(error)


def test_what_an_unavailable_database_says_is_logged_in_one_line_with_addresses_masked(caplog):
    error = DBAPIError.instance(
        "INSERT", {}, sqlite3.OperationalError("disk full for ana@example.org\nrow: ana@example.org"), sqlite3.Error
    )
    with caplog.at_level(logging.WARNING):
        redaction.log_failure(logging.getLogger("newsletter.test"), "results are kept", error)

    (record,) = caplog.records
    assert first_line(error) == "disk full for ana@example.org"
    assert record.levelname == "WARNING"
    assert record.exc_info is None
    assert record.getMessage().startswith("results are kept, the database is unavailable: disk full for ")
    assert "ana@" not in record.getMessage()
