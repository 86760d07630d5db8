"""Health and metrics, which answer in time even if the database does not."""
