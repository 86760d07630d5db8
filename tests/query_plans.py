"""Check how PostgreSQL finds rows, by its plans and statistics instead of by timing."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from newsletter.mail.delivery.deliveries import Delivery


def prepare_everything(session: Session) -> None:
    """Make this connection prepare each statement at its first execution, so that `generic_plan` finds it."""
    connection = session.connection().connection.driver_connection
    assert connection
    connection.prepare_threshold = 0


def generic_plan(session: Session, like: str) -> str:
    """Return the plan, independent of parameters, of the statement LIKE `like` that this connection has prepared."""
    prepared = text("SELECT name, cardinality(parameter_types) FROM pg_prepared_statements WHERE statement LIKE :like")
    name, parameters = session.execute(prepared, {"like": like}).one()
    session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
    nulls = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    return "\n".join(session.scalars(text(f"EXPLAIN EXECUTE {name}{nulls}")))


def fill(session: Session, like: Delivery, *, decided: int, waiting: int) -> None:
    """Insert copies of this delivery: `decided` sent ones, and `waiting` ones that are due on another day."""
    copy = text(
        "INSERT INTO deliveries (letter_id, variant_id, status, priority, due_at, queued_at, attempt, deferrals, "
        "doubts, deaths, decided_at) SELECT letter_id, variant_id, :status, priority, due_at + interval '1 day', "
        "queued_at, 1, 0, 0, 0, CASE WHEN :decided THEN due_at END "
        "FROM deliveries, generate_series(1, :n) WHERE deliveries.id = :id"
    )
    for status, number in (("sent", decided), ("queued", waiting)):
        session.execute(copy, {"status": status, "n": number, "id": like.id, "decided": status == "sent"})
    session.execute(text("ANALYZE"))


def blocks_read(session: Session) -> int:
    """Return how many blocks of deliveries and their indexes this transaction has read."""
    relations = """
        SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class
         WHERE oid = 'deliveries'::regclass
            OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'deliveries'::regclass)"""
    return int(session.scalar(text(relations)))


def rows_read(session: Session, *tables: str) -> int:
    """Return how many rows this transaction has read, in these tables and their indexes; by default deliveries' and
    their readers'.
    """
    counts = """
        WITH tables AS (SELECT unnest(CAST(:tables AS regclass[])) AS oid)
        SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class
         WHERE oid IN (TABLE tables)
            OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN (TABLE tables))"""
    names = list(tables or ("deliveries", "subscribers", "subscriptions"))
    return int(session.scalar(text(counts), {"tables": names}))


def sqlite_plans(session: Session, run: Callable[[], object]) -> list[str]:
    """Return the plan of each statement that `run` executes in this session, on SQLite."""
    statements: list[tuple[str, Any]] = []

    def record(*arguments: Any) -> None:
        statements.append((arguments[2], arguments[3]))

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", record)
    run()
    event.remove(engine, "before_cursor_execute", record)
    connection = session.connection()
    return [
        "\n".join(row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
        for statement, parameters in statements
    ]
