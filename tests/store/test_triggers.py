"""Append-only tables: the database itself refuses changes, and a missing trigger is reported."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from newsletter import audit_log
from newsletter.consent.ledger.ledger import LedgerEntry
from newsletter.consent.ledger.seals import Leaf, Seal
from newsletter.migrations import alembic_upgrade
from newsletter.migrations.schema import metadata
from newsletter.store import triggers
from newsletter.store.database import Database
from newsletter.store.triggers import APPEND_ONLY_TABLES
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON
from tests.servers.databases import opened


@pytest.fixture
def filled(database: Database) -> Database:
    """A database with a row in every append-only table."""
    with database.writing() as session:
        a_reader(session, a_newsletter(session))
        audit_log.record(session, actor="cli:ana", verb="approved", subject="issue:1", newsletter_id=None, now=NOON)
        seal = Seal(previous_id=None, root=b"r" * 32, size=1, key_id="k1", mac=b"m" * 32, sealed_at=NOON)
        session.add(seal)
        session.flush()
        entry = session.scalars(select(LedgerEntry)).first()
        session.add(Leaf(seal_id=seal.id, position=0, entry_id=entry.id, leaf=entry.leaf))
    return database


def contents(database: Database, table: str) -> list[tuple[object, ...]]:
    with database.reading() as session:
        return sorted((tuple(row) for row in session.execute(select(metadata.tables[table]))), key=str)


def refused(database: Database, statement: str) -> bool:
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as session:
        session.execute(text(statement))
    return True


def missing(database: Database) -> set[str]:
    with database.reading() as session:
        return triggers.missing(session.connection())


CHANGES = {
    "sqlite": [
        "UPDATE {table} SET {column} = {column}",
        "UPDATE OR IGNORE {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "REPLACE INTO {table} SELECT * FROM {table}",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT DO UPDATE SET {column} = {column}",
    ],
    "postgresql": [
        "UPDATE {table} SET {column} = {column}",
        "UPDATE ONLY {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT * FROM gone",
        "TRUNCATE {table} CASCADE",
        "TRUNCATE {table} RESTART IDENTITY CASCADE",
    ],
}


@pytest.mark.parametrize("table", APPEND_ONLY_TABLES)
def test_append_only_rows_cannot_be_changed_or_deleted(filled, table):
    before = contents(filled, table)
    assert before
    column = metadata.tables[table].columns.keys()[0]
    for change in CHANGES[filled.engine.dialect.name]:
        assert refused(filled, change.format(table=table, column=column))
    assert contents(filled, table) == before


def test_no_other_statement_deletes_append_only_rows(filled):
    before = {table: contents(filled, table) for table in APPEND_ONLY_TABLES}
    with pytest.raises(DBAPIError), filled.writing() as session:
        session.execute(text("DELETE FROM newsletters"))
    if not filled.is_sqlite:
        assert refused(filled, "TRUNCATE newsletters CASCADE")
        assert refused(filled, "TRUNCATE evidence, traces, leaves, ledger")
    assert {table: contents(filled, table) for table in APPEND_ONLY_TABLES} == before


def test_a_dropped_trigger_is_reported_and_recreated(database):
    assert missing(database) == set()
    for name in ("ledger_refuses_update", "acts_refuses_delete"):
        with database.writing() as session:
            on = "" if database.is_sqlite else f" ON {name.partition('_')[0]}"
            session.execute(text(f"DROP TRIGGER {name}{on}"))
    assert missing(database) == {"ledger_refuses_update", "acts_refuses_delete"}
    alembic_upgrade.migrate(database)
    assert missing(database) == set()


def test_a_trigger_of_the_right_name_on_the_wrong_table_does_not_count(database):
    with database.writing() as session:
        if database.is_sqlite:
            session.execute(text("DROP TRIGGER seals_refuses_delete"))
            session.execute(text("CREATE TRIGGER seals_refuses_delete BEFORE DELETE ON feeds BEGIN SELECT 1; END"))
        else:
            session.execute(text("DROP TRIGGER seals_refuses_delete ON seals"))
            function = "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            session.execute(text(f"CREATE TRIGGER seals_refuses_delete BEFORE DELETE ON feeds {function}"))
    assert missing(database) == {"seals_refuses_delete"}


@pytest.mark.parametrize("how", ["DISABLE TRIGGER ledger_refuses_update", "DISABLE TRIGGER ALL"])
def test_a_disabled_trigger_is_reported_and_enabled_again(postgresql_url, how):
    database = opened(postgresql_url)
    with database.writing() as session:
        session.execute(text(f"ALTER TABLE ledger {how}"))
    assert "ledger_refuses_update" in missing(database)
    alembic_upgrade.migrate(database)
    assert missing(database) == set()
    database.close()


def test_a_changed_trigger_is_recreated(filled):
    with filled.writing() as session:
        if filled.is_sqlite:
            session.execute(text("DROP TRIGGER ledger_refuses_delete"))
            session.execute(text("CREATE TRIGGER ledger_refuses_delete BEFORE DELETE ON ledger BEGIN SELECT 1; END"))
        else:
            harmless = "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            session.execute(text(f"{harmless} 'BEGIN RETURN OLD; END'"))
    alembic_upgrade.migrate(filled)
    assert refused(filled, "DELETE FROM ledger")
