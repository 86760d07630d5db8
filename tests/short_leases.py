"""The workers' application with leases that expire after six seconds instead of thirty.

For tests that kill a worker and then wait until another one takes over its letters: `celery -A tests.short_leases`.
"""

from celery import Celery

from newsletter import startup
from workers.celery import app_of_the_environment

HEARTBEAT = 1.0  # seconds between two heartbeats
LEASE = 6.0  # seconds without a heartbeat until a lease expires; a starved machine may skip some


def __getattr__(name: str) -> Celery:
    if name != "app":
        raise AttributeError(name)
    with startup.exit_on_error():
        return app_of_the_environment(heartbeat=HEARTBEAT, lease=LEASE)
