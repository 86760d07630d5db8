"""Pass many rows as one JSON parameter, so that one fixed statement writes any number of them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, DateTime, FromClause, String, bindparam, cast, column, func, select
from sqlalchemy.types import TypeEngine


def table_of(name: str, columns: Mapping[str, TypeEngine[Any]], *, on_sqlite: bool) -> FromClause:
    """Return the parameter `name`, whose value `encode` made, as a table with these columns."""
    parameter = bindparam(name, type_=String())
    if on_sqlite:
        row = func.json_each(parameter).table_valued("value").c.value
        return select(*(_column(row, key, kind).label(key) for key, kind in columns.items())).subquery(name)
    typed = func.json_to_recordset(cast(parameter, JSON)).table_valued(*(column(key, columns[key]) for key in columns))
    return typed.render_derived(name=name, with_types=True)


def encode(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as a parameter's value. Times must be aware; text must have no NUL and no lone surrogate."""
    return json.dumps(list(rows), ensure_ascii=False, default=_utc)


def _column(row: ColumnElement[Any], key: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    value: ColumnElement[Any] = func.json_extract(row, f"$.{key}")
    # SQLite stores times as text, in UTC and without the zone.
    return func.substr(value, 1, len("2026-03-14 12:00:00.000000")) if isinstance(kind, DateTime) else value


def _utc(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return moment.astimezone(UTC).isoformat(" ", "microseconds")
