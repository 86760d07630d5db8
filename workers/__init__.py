"""The workers: Celery is the clock and the hands; the database is the queue."""
