"""Triggers: tables that the database itself keeps append-only.

They are made anew at the end of every `migrate`, because a migration that rebuilds a table on SQLite drops them without
a word; doctor checks that they are there.
"""

from sqlalchemy import Connection, text

GUARDED = ("ledger", "leaves", "seals", "wordings", "exhibits", "acts")

_REFUSE = "{table} is append-only"
_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$
"""


def names(dialect: str) -> set[str]:
    """The triggers that have to be there."""
    verbs = ("update", "delete", "truncate") if dialect == "postgresql" else ("update", "delete")
    return {f"{table}_refuses_{verb}" for table in GUARDED for verb in verbs}


def recreate(connection: Connection) -> None:
    """Drop and make every trigger, in the caller's transaction."""
    on_postgresql = connection.dialect.name == "postgresql"
    if on_postgresql:
        connection.execute(text(_FUNCTION))
    for name in sorted(names(connection.dialect.name)):
        table, _, verb = name.partition("_refuses_")
        if on_postgresql:
            each = "STATEMENT" if verb == "truncate" else "ROW"
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {table}"))
            body = f"FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        else:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
            body = f"BEGIN SELECT RAISE(ABORT, '{_REFUSE.format(table=table)}'); END"
        connection.execute(text(f"CREATE TRIGGER {name} BEFORE {verb.upper()} ON {table} {body}"))


def missing(connection: Connection) -> set[str]:
    """The triggers that should be there and are not."""
    if connection.dialect.name == "postgresql":
        # A disabled trigger is as good as none, so it counts as missing.
        found = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    else:
        found = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    return names(connection.dialect.name) - set(connection.execute(text(found)).scalars())
