"""The worker process as Celery makes it, without its chatter and patient with a Redis that is away."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery.apps import worker
from celery.worker import consumer
from celery.worker.state import maybe_shutdown

from newsletter.doorbell import QUIET

AGAIN = 2  # seconds between two attempts to reach Redis: letters wait for it

log = logging.getLogger(__name__)


class Worker(worker.Worker):
    """A worker that talks to no other one: what all have to know stands in the database."""

    def prepare_args(self, **given: Any) -> dict[str, Any]:
        """Celery's own arguments, whatever the command line says about company."""
        return given | {"without_gossip": True, "without_heartbeat": True, "without_mingle": True}


class Consumer(consumer.Consumer):
    """A consumer that comes back within seconds, however long Redis was away, and complains once a minute."""

    _complained_at = -float("inf")

    def ensure_connected(self, conn: Any) -> Any:
        """The connection, once there is one; in between the process may be told to end."""
        conn.ensure_connection(self._complain, interval_start=AGAIN, interval_step=0, callback=maybe_shutdown)
        self.first_connection_attempt = False
        return conn

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close what is broken; Celery says once that it is."""
        # Closing would put rings back that are being answered: into a Redis that is away, through a transport that has
        # forgotten its address. That error ends the worker.
        connection: Any = self.connection
        for channel in connection.transport.channels:
            channel.do_restore = False
        super().on_connection_error_after_connected(exc)
        self._complained_at = time.monotonic()

    def call_soon_ack(self, p: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Acknowledge a ring, unless its connection was closed meanwhile: nobody remembers it there."""

        def acknowledge() -> None:
            with suppress(Exception):  # whatever it is, it would end the worker
                p(*args, **kwargs)

        return super().call_soon_ack(acknowledge)  # type: ignore[misc]  # the stubs lack it

    def _complain(self, error: Exception, _: float) -> None:
        # Only the kind: the message of a broker's error may contain its URL.
        if time.monotonic() - self._complained_at >= QUIET:
            self._complained_at = time.monotonic()
            log.warning("Redis cannot be reached (%s); trying again every %d seconds", type(error).__name__, AGAIN)
