"""Triggers: tables that the database itself keeps append-only.

They are made anew at the end of every `migrate`, because a migration that rebuilds a table on SQLite drops them without
a word; doctor checks that they are there.
"""

from sqlalchemy import Connection, text

GUARDED = ("ledger", "leaves", "seals", "wordings", "exhibits", "acts")

_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$
"""


def names(dialect: str) -> set[str]:
    """The triggers that have to be there."""
    verbs = ("update", "delete", "truncate") if dialect == "postgresql" else ("update", "delete")
    return {f"{table}_refuses_{verb}" for table in GUARDED for verb in verbs}


def recreate(connection: Connection) -> None:
    """Make every trigger anew, in the caller's transaction."""
    on_postgresql = connection.dialect.name == "postgresql"
    if on_postgresql:
        connection.execute(text(_FUNCTION))
    for name in sorted(names(connection.dialect.name)):
        table, _, verb = name.partition("_refuses_")
        when = f"TRIGGER {name} BEFORE {verb.upper()} ON {table}"
        if on_postgresql:
            each = "STATEMENT" if verb == "truncate" else "ROW"
            # REPLACE, unlike DROP, lets readers of the table go on; and it switches a disabled trigger on again.
            connection.execute(text(f"CREATE OR REPLACE {when} FOR EACH {each} EXECUTE FUNCTION refuse_change()"))
        else:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
            connection.execute(text(f"CREATE {when} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"))


def missing(connection: Connection) -> set[str]:
    """The triggers that should be there and are not."""
    if connection.dialect.name == "postgresql":
        # A disabled trigger is as good as none, so it counts as missing.
        found = (
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE pg_table_is_visible(tgrelid) AND starts_with(tgname, relname || '_refuses_') "
            "AND tgenabled IN ('O', 'A')"
        )
    else:
        found = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND instr(name, tbl_name || '_refuses_') = 1"
    return names(connection.dialect.name) - set(connection.execute(text(found)).scalars())
