"""The migrations produce the schema of the models on both databases, also when run repeatedly or at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from newsletter import migrations
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.subscribers import Subscriber, Subscription
from newsletter.migrations import alembic_upgrade
from newsletter.migrations.schema import TABLE_MODULES, metadata
from newsletter.privacy import retention
from newsletter.store import triggers
from newsletter.store.database import Base, Database
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON

DESCRIBED = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2, 3, 4",
    "postgresql": """
        SELECT 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
          FROM information_schema.columns WHERE table_schema = 'public'
        UNION SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace
        UNION SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) || tgenabled::text
          FROM pg_trigger WHERE NOT tgisinternal
        ORDER BY 1, 2, 3, 4""",
}


@pytest.fixture
def empty(database: Database, tmp_path) -> Database:
    """A database before the first migration."""
    if database.is_sqlite:
        return Database(f"sqlite:///{tmp_path}/empty.sqlite")
    with database.writing() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    return database


def described(database: Database) -> list[tuple[str, ...]]:
    with database.reading() as session:
        statement = DESCRIBED[session.get_bind().dialect.name]
        return [tuple(row) for row in session.execute(text(statement))]


def is_current(database: Database) -> bool:
    with database.engine.connect() as connection:
        return migrations.state(connection) is migrations.SchemaState.CURRENT


def state(database: Database) -> migrations.SchemaState:
    with database.reading() as session:
        return migrations.state(session.connection())


def pretend(database: Database, revision: str) -> None:
    """Make the database claim to be at this revision."""
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def changing(database: Database):
    return (alembic_upgrade._on_sqlite if database.is_sqlite else alembic_upgrade._on_postgresql)(database)


def test_the_migrations_produce_the_schema_of_the_models(database):
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_every_table_is_in_the_schema_module():
    modules = {mapper.class_.__module__ for mapper in Base.registry.mappers}
    assert modules == {module.__name__ for module in TABLE_MODULES}


def test_the_revisions_in_file_names_are_those_that_alembic_reads(database):
    with database.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(alembic_upgrade._config(connection))
    assert [script.revision for script in scripts.walk_revisions()] == list(reversed(migrations.revisions()))


def test_migrating_again_changes_nothing(database):
    before = described(database)
    for _ in range(2):
        alembic_upgrade.migrate(database)
    assert described(database) == before


def test_one_migration_makes_an_empty_database_current(empty, database):
    assert not is_current(empty)
    alembic_upgrade.migrate(empty)
    assert is_current(empty)
    with empty.reading() as session:
        assert not triggers.missing(session.connection())


def test_a_schema_is_recognized_as_behind_current_or_newer(empty, database):
    assert state(empty) is migrations.SchemaState.BEHIND
    alembic_upgrade.migrate(empty)
    assert state(empty) is migrations.SchemaState.CURRENT
    for revision, expected in {"0001": migrations.SchemaState.BEHIND, "later": migrations.SchemaState.NEWER}.items():
        pretend(empty, revision)
        assert state(empty) is expected
        assert not is_current(empty)


def test_a_newer_schema_is_not_changed(database):
    pretend(database, "later")
    with database.writing() as session:
        session.execute(text("ALTER TABLE newsletters ADD COLUMN motto TEXT"))
    before = described(database)
    alembic_upgrade.migrate(database)
    assert described(database) == before
    assert state(database) is migrations.SchemaState.NEWER


def test_two_simultaneous_migrations_both_succeed(empty):
    with closing(Database(empty.url)) as other, ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(alembic_upgrade.migrate, each) for each in (empty, other)]:
            done.result()
    assert is_current(empty)
    before = described(empty)
    alembic_upgrade.migrate(empty)
    assert described(empty) == before


def test_a_failed_migration_is_rolled_back(empty):
    def fail(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), changing(empty) as connection:
        fail(connection)
    assert described(empty) == []


OLD_ROWS = """
    INSERT INTO newsletters (id, slug, name, description, publisher, sender, reply_to, postal_address, language, zone,
      list_id, brand, created_at) VALUES (1, 'morning', 'M', '', 'P', 'a@b.example', 'a@b.example', 'S', 'en', 'UTC',
      'morning.b.example', '#000000', '2026-03-14 12:00:00');
    INSERT INTO exhibits (sha256, kind, body) VALUES ('e', 'form', '');
    INSERT INTO wordings (id, newsletter_id, language, version, text, form_exhibit, confirm_exhibit, published_at)
      VALUES (1, 1, 'en', 1, 'I agree', 'e', 'e', '2026-03-14 12:00:00');
    INSERT INTO signups (address, address_key, fold_key, newsletters, wording_id, form, evidence, received_at, state,
      nonce) VALUES ('a@b.example', 'a@b.example', 'f', '[1]', 1, 'e', '{}', '2026-03-14 12:00:00', 'asked', 1)
"""


def test_sign_ups_from_before_they_had_a_deletion_time_are_deleted_in_time(empty, database):
    with changing(empty) as connection:
        command.upgrade(alembic_upgrade._config(connection), "0002")
        for statement in OLD_ROWS.split(";"):
            connection.execute(text(statement))
    alembic_upgrade.migrate(empty)
    for hours, left in ((1, 1), (72, 0)):
        with empty.writing() as session:
            retention.forget_due(session, now=NOON + timedelta(hours=hours))
            assert len(session.scalars(select(Signup)).all()) == left


def test_recreating_a_table_keeps_the_rows_that_refer_to_it(database):
    with database.writing() as session:
        reader = a_reader(session, a_newsletter(session))
    with changing(database) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("subscribers", recreate="always" if database.is_sqlite else "auto") as table:
            table.alter_column("name", new_column_name="called")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 1
        assert session.scalar(text("SELECT subject FROM subscribers")) == reader.subject


def test_after_a_migration_foreign_keys_are_enforced_again(database):
    with changing(database):
        pass
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(text("INSERT INTO evidence (entry_id, salt, body) VALUES (12, '', '')"))


def test_a_migration_that_would_break_foreign_keys_is_rolled_back(database):
    with database.writing() as session:
        a_reader(session, a_newsletter(session))
    with pytest.raises((RuntimeError, IntegrityError)), changing(database) as connection:
        connection.execute(text("DELETE FROM newsletters"))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 1
        assert session.scalar(text("SELECT count(*) FROM newsletters")) == 1


def test_every_sqlite_table_with_ids_uses_autoincrement(sqlite_url):
    with closing(Database(sqlite_url)) as database, database.reading() as session:
        made = dict(session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all())
    for table in metadata.sorted_tables:
        if table.autoincrement_column is not None:
            assert "AUTOINCREMENT" in made[table.name], table.name
            assert table.dialect_options["sqlite"]["autoincrement"], table.name
