"""Triggers that keep tables append-only, in the database itself.

Every `migrate` recreates them, because a migration that rebuilds a table on SQLite silently drops its triggers. Doctor
reports missing ones.
"""

from sqlalchemy import Connection, text

APPEND_ONLY_TABLES = ("ledger", "leaves", "seals", "wordings", "forms", "exhibits", "acts")

_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$
"""


def names(dialect: str) -> set[str]:
    """Return the names of the triggers that must exist."""
    verbs = ("update", "delete", "truncate") if dialect == "postgresql" else ("update", "delete")
    return {f"{table}_refuses_{verb}" for table in APPEND_ONLY_TABLES for verb in verbs}


def recreate(connection: Connection) -> None:
    """Create or replace every trigger, in the caller's transaction."""
    on_postgresql = connection.dialect.name == "postgresql"
    if on_postgresql:
        connection.execute(text(_FUNCTION))
    for name in sorted(names(connection.dialect.name)):
        table, _, verb = name.partition("_refuses_")
        when = f"TRIGGER {name} BEFORE {verb.upper()} ON {table}"
        if on_postgresql:
            each = "STATEMENT" if verb == "truncate" else "ROW"
            # REPLACE, unlike DROP, does not block readers of the table, and it enables a disabled trigger again.
            connection.execute(text(f"CREATE OR REPLACE {when} FOR EACH {each} EXECUTE FUNCTION refuse_change()"))
        else:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
            connection.execute(text(f"CREATE {when} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"))


def missing(connection: Connection) -> set[str]:
    """Return the names of the triggers that are missing or disabled."""
    if connection.dialect.name == "postgresql":
        existing = (
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE pg_table_is_visible(tgrelid) AND starts_with(tgname, relname || '_refuses_') "
            "AND tgenabled IN ('O', 'A')"
        )
    else:
        existing = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND instr(name, tbl_name || '_refuses_') = 1"
    return names(connection.dialect.name) - set(connection.execute(text(existing)).scalars())
