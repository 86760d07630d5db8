"""The time it is in tests that do not care which."""

from datetime import UTC, datetime

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
