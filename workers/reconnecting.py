"""A bootstep of Celery's consumer that reconnects a worker to Redis."""

import logging
import time
from typing import Any

from celery import bootsteps
from celery.worker.state import maybe_shutdown

from newsletter.redaction import WARNING_INTERVAL

RETRY_SECONDS = 2  # between two attempts to reach Redis, while letters wait

log = logging.getLogger(__name__)


class AwaitBroker(bootsteps.StartStopStep):
    """Waits for Redis before Celery connects: Celery itself waits longer after each failure and logs every one.

    No setting changes that: test_a_redis_that_is_away_at_the_start_is_found_when_it_comes fails without this step.
    """

    _warned_at = -float("inf")

    def include(self, parent: Any) -> None:
        """Run before all of Celery's steps, one of which connects."""
        parent.steps.insert(0, self)

    def start(self, parent: Any) -> None:
        """Return once Redis answers; a signal ends the process meanwhile."""
        with parent.app.connection_for_read() as connection:
            connection.ensure_connection(
                self._warn, interval_start=RETRY_SECONDS, interval_step=0, callback=maybe_shutdown
            )

    def _warn(self, error: Exception, _: float) -> None:
        # Only the kind: the message of a broker's error may contain its URL.
        if time.monotonic() - self._warned_at >= WARNING_INTERVAL:
            self._warned_at = time.monotonic()
            kind = type(error).__name__
            log.warning("Redis cannot be reached (%s); trying again every %d seconds", kind, RETRY_SECONDS)
