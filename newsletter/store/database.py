"""Database sessions, for reading and for writing, and the settings that make SQLite and PostgreSQL behave alike.

`reading()` cannot write: PostgreSQL's transaction is READ ONLY, SQLite's connection is `query_only`. GET and HEAD
endpoints get no other session, so the database itself ensures that a GET never writes. `writing()` commits at its end
and rolls back on any exception; nothing else in the project commits.
"""

import math
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, dataclass_transform

from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from newsletter.store import conflicts, private_files
from newsletter.store.database_errors import is_disk_full
from newsletter.store.write_lock import serialize_writers

ID_TYPE = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows automatically only in an INTEGER key

SQLITE_BUSY_WAIT = 30.0  # seconds that SQLite waits for another process to finish writing

# Connections of a process to PostgreSQL, kept and at most. The site's 40 threads hold one for milliseconds each; a
# worker's queues, their recording threads and its heartbeat use at most eight. So eight processes leave room for psql
# in PostgreSQL's default of one hundred.
POOL_SIZE, POOL_LIMIT = 5, 10
CONNECTION_WAIT = 5  # seconds to get a connection from the pool or the server; then an error, and the caller retries

# PostgreSQL ends a transaction that waits or blocks others for longer than a visitor would wait.
SERVER_TIMEOUTS = {"lock_timeout": "10s", "statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s"}

# Detect a server that vanished without closing the connection: by default Linux takes two hours, or fifteen minutes
# while data is in flight. In seconds, but the last one in milliseconds (libpq, database connection control).
KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 20_000}

Begin = Callable[[], AbstractContextManager[Session]]
Autocommit = Callable[[], AbstractContextManager[Connection]]


class UtcDateTime(TypeDecorator[datetime]):
    """A time that is aware in Python and UTC in the database. A naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raises ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware UTC time, whatever the database stores."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]


@dataclass_transform(kw_only_default=True, field_specifiers=(mapped_column,))
class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Base of all rows: keys are bigint, times aware UTC, enums text, and every constraint has a predictable name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        int: ID_TYPE,
        datetime: UtcDateTime,
        StrEnum: Enum(StrEnum, native_enum=False, create_constraint=False, length=24, values_callable=_values),
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }

    @classmethod
    def __table_cls__(cls, *args: Any, **kwargs: Any) -> Table:
        # No id is used twice, also on SQLite: a link that outlives its row must not match another row.
        return Table(*args, sqlite_autoincrement=True, **kwargs)


class Database:
    """One database, by its URL (`sqlite:///...` or `postgresql+psycopg://...`)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite(url, query_only=False)
            self._reader = _sqlite(url, query_only=True)
        else:
            self.engine = _postgresql(url)
            # All statements of a reader see one snapshot, as on SQLite: doctor's counts of two tables must match.
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.disk_full_at = -math.inf  # monotonic: when a statement last failed because the disk was full
        event.listen(self.engine, "handle_error", self._note_full_disk)
        self._times_closed = 0
        for engine in {self.engine, self._reader} if self.is_sqlite else {self.engine}:
            event.listen(engine, "connect", self._note_opening)
            event.listen(engine, "checkin", self._close_late)

    def _note_full_disk(self, context: ExceptionContext) -> None:
        if is_disk_full(context.original_exception):
            self.disk_full_at = time.monotonic()

    def _note_opening(self, _: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info["times_closed"] = self._times_closed

    def _close_late(self, connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        # Closing left this connection's pool, so nothing else would close it. A later use opens a pool of its own.
        if connection is not None and record.info["times_closed"] != self._times_closed:
            record.invalidate()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Yield a session whose transaction is committed at the end, or rolled back on an exception.

        The transaction begins with the first statement.
        """
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
        conflicts.note_commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session in which the database refuses every write."""
        with Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Yield a connection that commits each statement when it returns (PostgreSQL).

        For a thread that writes often: a statement takes one round trip instead of four with a session from the pool.
        """
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close all connections; one that a thread still uses is closed when the thread returns it.

        A later session opens new ones.
        """
        self._times_closed += 1
        self._reader.dispose()
        self.engine.dispose()


def is_on_sqlite(session: Session) -> bool:
    """Return whether the session's database is SQLite; otherwise it is PostgreSQL."""
    return session.get_bind().dialect.name == "sqlite"


def insert_once(session: Session, row: type[Base], **values: Any) -> bool:
    """Insert a row unless a unique constraint forbids it. Return whether it was inserted.

    If two transactions insert the same row, the second one waits for the first and then returns False.
    """
    dialect = sqlite if is_on_sqlite(session) else postgresql
    insert = dialect.insert(row).values(values).on_conflict_do_nothing()
    return session.scalar(insert.returning(true())) is not None


def _postgresql(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # keep addresses and tokens out of errors and logs
        pool_size=POOL_SIZE,
        max_overflow=POOL_LIMIT - POOL_SIZE,
        pool_timeout=CONNECTION_WAIT,
        pool_pre_ping=True,  # after a restart of the server, reconnect instead of failing
        connect_args={
            "connect_timeout": CONNECTION_WAIT,
            "fallback_application_name": f"newsletter {_program()}",  # in pg_stat_activity, unless the URL names one
            "options": " ".join(f"-c {name}={value}" for name, value in {"timezone": "UTC", **SERVER_TIMEOUTS}.items()),
            **KEEPALIVES,
        },
    )

    @event.listens_for(engine, "handle_error")
    def _on_error(context: ExceptionContext) -> None:
        # Errors are logged, and after the first line PostgreSQL quotes the row that it refused.
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error:
                error.args = tuple(str(part).partition("\n")[0] for part in error.args)
        if _is_read_only(context):
            context.is_disconnect = True

    return engine


def _is_read_only(context: ExceptionContext) -> bool:
    """Whether the server is read-only, such as a standby, although the session is for writing.

    Its connections are closed, because the next one may reach another server, or the server may accept writes again.
    """
    forbidden = context.connection and context.connection.get_execution_options().get("postgresql_readonly")
    return isinstance(context.original_exception, ReadOnlySqlTransaction) and not forbidden


def _program() -> str:
    """Return the name of the running program: uvicorn, celery or newsletter."""
    program = Path(sys.argv[0])
    return program.parent.name if program.stem == "__main__" else program.stem


def _sqlite(url: str, *, query_only: bool) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_timeout=CONNECTION_WAIT,
        connect_args={"timeout": SQLITE_BUSY_WAIT, "check_same_thread": False},
        # Writers wait for the write lock; a full pool would be a second, unfair queue.
        max_overflow=10 if query_only else -1,
    )

    @event.listens_for(engine, "do_connect")
    def _before_connect(*_: Any) -> None:
        private_files.create(Path(engine.url.database or ""))  # its -wal and -shm get the same permissions

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver's implicit BEGIN would be a deferred one
        _enable_write_ahead_log(connection)
        for pragma in (
            "synchronous=FULL",  # a sign-up answered with 202 survives a power cut
            "foreign_keys=ON",
            "recursive_triggers=ON",  # without it, REPLACE deletes a ledger row without firing the trigger
            "secure_delete=ON",  # erased data is overwritten, not only unlinked
            f"query_only={'ON' if query_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # For bytes in `bulk_rows`; SQLite itself has it from 3.41 on.
        connection.create_function("unhex", 1, lambda text: text and bytes.fromhex(text), deterministic=True)

    if query_only:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    else:
        serialize_writers(engine)
    return engine


def _enable_write_ahead_log(connection: sqlite3.Connection) -> None:
    # SQLite's timeout does not apply here: of several processes that open a new file at once, all but one would fail.
    deadline = time.monotonic() + SQLITE_BUSY_WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
