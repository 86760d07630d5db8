"""The database: two kinds of session, and the rules that make SQLite and PostgreSQL behave alike.

`reading()` cannot write: PostgreSQL's transaction is READ ONLY, SQLite's connection is `query_only`. Pages that answer
GET and HEAD get nothing else, so the database itself holds that a GET never writes. `writing()` commits on leaving and
rolls back on any exception; nothing else in the project commits.
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Insert,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from newsletter.store.write_lock import serialize_writers

type_of_key = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER key

BUSY = 30.0  # seconds that SQLite waits for another process to finish writing

# Connections of a process to PostgreSQL. The site's 40 threads hold one for milliseconds each; a worker's rooms, their
# recorders and its heart are eight at most. Eight processes so leave room for psql in PostgreSQL's usual hundred.
KEPT, MOST = 5, 10
PATIENCE = 5  # seconds for a connection to become free, or to be made: then somebody is told, and asks again

# What PostgreSQL ends by itself: nobody waits for a lock, or blocks others, longer than a visitor would.
LIMITS = {"lock_timeout": "10s", "statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s"}

# A server that vanishes says no good-bye; by default Linux would believe in it for two hours, or fifteen minutes where
# something is on its way to it. All in seconds, but for the last: milliseconds (libpq, database connection control).
NOTICING = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 20_000}

Begin = Callable[[], AbstractContextManager[Session]]
Stating = Callable[[], AbstractContextManager[Connection]]


class Moment(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC in the database. A naive time is refused rather than guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse what has no zone; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware UTC time, whatever the database keeps."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]


@dataclass_transform(kw_only_default=True, field_specifiers=(mapped_column,))
class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """A row. Keys are bigint, times aware UTC, enums text, and every constraint has a predictable name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        int: type_of_key,
        datetime: Moment,
        StrEnum: Enum(StrEnum, native_enum=False, create_constraint=False, length=24, values_callable=_values),
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }

    @classmethod
    def __table_cls__(cls, *args: Any, **kwargs: Any) -> Table:
        # A number once given is never given again, also on SQLite: a link that outlives its row must not fit another.
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
            # A reader sees one state of things from its first statement to its last, as on SQLite: what doctor counts
            # in one table fits what it counts in the next.
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is committed on leaving, or rolled back whole. It begins with its first statement."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction in which the database refuses every write."""
        with Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def stating(self) -> Iterator[Connection]:
        """A connection whose statements are transactions of their own, each committed when it returns (PostgreSQL).

        For a thread that writes often: it costs one round trip, where a session from the pool takes four.
        """
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Give all connections back."""
        self._reader.dispose()
        self.engine.dispose()


Row = TypeVar("Row", bound=Base)


def insert_once(session: Session, row: type[Base], **values: Any) -> bool:
    """Insert a row unless a constraint says that it is there already; returns whether it was inserted.

    Of two transactions that insert the same, the second waits for the first, and then learns that it is there.
    """
    return session.scalar(_once(session, row, values).returning(true())) is not None


def inserted(session: Session, row: type[Row], **values: Any) -> Row | None:
    """The row that was inserted so; None if it is there already."""
    return session.scalar(_once(session, row, values).returning(row))


def _once(session: Session, row: type[Base], values: dict[str, Any]) -> Insert:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    once: Insert = dialect.insert(row).values(values).on_conflict_do_nothing()
    return once


def _postgresql(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # in errors and logs: they are addresses and tokens
        pool_size=KEPT,
        max_overflow=MOST - KEPT,
        pool_timeout=PATIENCE,
        pool_pre_ping=True,  # a server that was restarted meanwhile costs a new connection, not an error
        connect_args={
            "connect_timeout": PATIENCE,
            "fallback_application_name": f"newsletter {_program()}",  # in pg_stat_activity, unless the URL names one
            "options": " ".join(f"-c {name}={value}" for name, value in {"timezone": "UTC", **LIMITS}.items()),
            **NOTICING,
        },
    )

    @event.listens_for(engine, "handle_error")
    def _on_error(context: ExceptionContext) -> None:
        # After its first line PostgreSQL quotes the row that it refuses, and errors are logged.
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error:
                error.args = tuple(str(part).partition("\n")[0] for part in error.args)
        if _is_read_only(context):
            context.is_disconnect = True

    return engine


def _is_read_only(context: ExceptionContext) -> bool:
    """Whether a server refused a write that nobody here forbade: a standby, or one that is to be written no more.

    Its connections are given up, for the next may reach another server, or a session that writes again.
    """
    forbidden = context.connection and context.connection.get_execution_options().get("postgresql_readonly")
    return isinstance(context.original_exception, ReadOnlySqlTransaction) and not forbidden


def _program() -> str:
    """What this process was started as: uvicorn, celery or newsletter."""
    started = Path(sys.argv[0])
    return started.parent.name if started.stem == "__main__" else started.stem


def _sqlite(url: str, *, query_only: bool) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_timeout=PATIENCE,
        connect_args={"timeout": BUSY, "check_same_thread": False},
        # Writers wait at the turnstile; a full pool would be a second, unfair line.
        max_overflow=10 if query_only else -1,
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver's own implicit BEGIN would be deferred
        _write_ahead(connection)
        for pragma in (
            "synchronous=FULL",  # a sign-up that was answered with 202 survives a power cut
            "foreign_keys=ON",
            "recursive_triggers=ON",  # without it REPLACE would delete a ledger row past the trigger
            "secure_delete=ON",  # what is erased is overwritten, and not only no longer shown
            f"query_only={'ON' if query_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    if query_only:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    else:
        serialize_writers(engine)
    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite does not wait here, whatever its timeout: of several that open a new file at once, all but one would fail.
    deadline = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
