"""Health and metrics, answered in time even when the database is not."""
