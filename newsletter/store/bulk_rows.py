"""Record sets: many rows as one parameter, so that one fixed statement writes any number of them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, DateTime, FromClause, String, bindparam, cast, column, func, select
from sqlalchemy.types import TypeEngine


def rows(name: str, columns: Mapping[str, TypeEngine[Any]], *, on_sqlite: bool) -> FromClause:
    """The rows that `packed` made of the parameter of that name, as a table of these columns."""
    given = bindparam(name, type_=String())
    if on_sqlite:
        each = func.json_each(given).table_valued("value").c.value
        return select(*(_extracted(each, key, kind).label(key) for key, kind in columns.items())).subquery(name)
    typed = func.json_to_recordset(cast(given, JSON)).table_valued(*(column(key, columns[key]) for key in columns))
    return typed.render_derived(name=name, with_types=True)


def packed(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as a parameter. Times are aware; text has no NUL and no half characters, which no database takes."""
    return json.dumps(list(rows), ensure_ascii=False, default=_utc)


def _extracted(row: ColumnElement[Any], key: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    value: ColumnElement[Any] = func.json_extract(row, f"$.{key}")
    # SQLite keeps times as text, in UTC and without the zone.
    return func.substr(value, 1, len("2026-03-14 12:00:00.000000")) if isinstance(kind, DateTime) else value


def _utc(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return moment.astimezone(UTC).isoformat(" ", "microseconds")
