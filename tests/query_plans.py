"""How PostgreSQL finds rows, asked rather than timed."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from newsletter.mail.delivery.deliveries import Delivery


def prepare_everything(session: Session) -> None:
    """Let PostgreSQL prepare each statement of this connection at its first execution, so that it can be asked."""
    connection = session.connection().connection.driver_connection
    assert connection
    connection.prepare_threshold = 0


def generic_plan(session: Session, like: str) -> str:
    """How PostgreSQL does a statement that this connection has prepared, without looking at parameters."""
    prepared = text("SELECT name, cardinality(parameter_types) FROM pg_prepared_statements WHERE statement LIKE :like")
    name, parameters = session.execute(prepared, {"like": like}).one()
    session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
    nothing = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    return "\n".join(session.scalars(text(f"EXPLAIN EXECUTE {name}{nothing}")))


def fill(session: Session, like: Delivery, *, decided: int, waiting: int) -> None:
    """Rows like this one, as a year leaves them behind, and as many as wait for another day."""
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
    """How many blocks of deliveries and their indexes this transaction has looked at."""
    relations = """
        SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class
         WHERE oid = 'deliveries'::regclass
            OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'deliveries'::regclass)"""
    return int(session.scalar(text(relations)))


def rows_read(session: Session) -> int:
    """How many rows of deliveries and of their readers this transaction has looked at, in tables and in indexes."""
    counts = """
        WITH tables AS (SELECT unnest(ARRAY['deliveries', 'subscribers', 'subscriptions']::regclass[]) AS oid)
        SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class
         WHERE oid IN (TABLE tables)
            OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN (TABLE tables))"""
    return int(session.scalar(text(counts)))
