"""The workers: Celery wakes them and runs their jobs; the database is the queue."""
