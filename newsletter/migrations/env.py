from typing import Any, Literal

from alembic import context
from sqlalchemy.types import Enum, TypeDecorator

from newsletter.migrations.schema import metadata


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Render the database's own types, so that a migration keeps its meaning when our types change."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
)
context.run_migrations()
