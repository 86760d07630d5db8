"""Pass many rows as one JSON parameter, so that one fixed statement writes any number of them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    FromClause,
    LargeBinary,
    String,
    Table,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from newsletter.store.database import UtcDateTime

INSERTED = "rows"  # the parameter of an `insert`

Insert = postgresql.Insert | sqlite.Insert


def insert(table: Table, *columns: str, on_sqlite: bool) -> Insert:
    """Return an INSERT of these columns of any number of rows, in their order; `encode` makes its parameter `rows`."""
    rows = table_of(INSERTED, {name: table.c[name].type for name in columns}, on_sqlite=on_sqlite)
    selected = select(*(rows.c[name] for name in columns))
    if on_sqlite:  # without WHERE, its parser takes ON CONFLICT for the condition of a join
        return sqlite.insert(table).from_select(columns, selected.where(true()), include_defaults=False)
    return postgresql.insert(table).from_select(columns, selected, include_defaults=False)


def table_of(name: str, columns: Mapping[str, TypeEngine[Any]], *, on_sqlite: bool) -> FromClause:
    """Return the parameter `name`, whose value `encode` made, as a table with these columns."""
    parameter = bindparam(name, type_=String())
    if on_sqlite:
        row = func.json_each(parameter).table_valued("value").c.value
        return select(*(_column(row, key, kind).label(key) for key, kind in columns.items())).subquery(name)
    stored = {key: String() if isinstance(kind, LargeBinary) else kind for key, kind in columns.items()}
    typed = func.json_to_recordset(cast(parameter, JSON)).table_valued(*(column(key, stored[key]) for key in stored))
    derived = typed.render_derived(name=name, with_types=True)
    if all(stored[key] is kind for key, kind in columns.items()):
        return derived
    bytes_of = {key: func.decode(derived.c[key], "hex") for key, kind in columns.items() if stored[key] is not kind}
    return select(*(bytes_of.get(key, derived.c[key]).label(key) for key in columns)).subquery(name)


def encode(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as a parameter's value. Times must be aware; text must have no NUL and no lone surrogate."""
    return json.dumps(list(rows), ensure_ascii=False, default=_as_text)


def _column(row: ColumnElement[Any], key: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    value: ColumnElement[Any] = func.json_extract(row, f"$.{key}")
    if isinstance(kind, LargeBinary):
        return func.unhex(value)
    # SQLite stores times as text, in UTC and without the zone.
    is_time = isinstance(kind, DateTime | UtcDateTime)
    return func.substr(value, 1, len("2026-03-14 12:00:00.000000")) if is_time else value


def _as_text(value: datetime | bytes) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return value.astimezone(UTC).isoformat(" ", "microseconds")
