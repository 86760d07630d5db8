"""The wall clock. Only the edges read it, and pass the time on as `now`."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return this moment, aware, in UTC."""
    return datetime.now(UTC)
