"""The schedule of `celery beat`: how often each queue is woken in any case."""

from datetime import UTC, datetime
from typing import Any

from celery.beat import ScheduleEntry, Scheduler

from newsletter.queues import broker
from newsletter.queues.wakeups import Queue

SECONDS = {Queue.URGENT: 2, Queue.BULK: 2, Queue.FEEDS: 60, Queue.UPKEEP: 5}  # between two wake-ups of a queue
NEVER = datetime.fromtimestamp(0, UTC)  # as the last run: every queue is woken as soon as beat starts


def entries() -> dict[str, dict[str, Any]]:
    """Return the schedule as Celery's `beat_schedule`.

    No entry expires: a worker whose clock is ahead of ours would drop every wake-up.
    """
    return {
        queue.value: {"task": broker.task_name(queue), "schedule": seconds, "last_run_at": NEVER}
        for queue, seconds in SECONDS.items()
    }


class Schedule(Scheduler):
    """Sends wake-ups from a thread, so an absent Redis neither stops the schedule nor fills the log. Keeps no file.

    Celery's own scheduler blocks until it has a connection, and logs an error for every attempt:
    test_a_redis_that_is_away_at_the_start_is_found_when_it_comes fails with it.
    """

    producer: Any = None  # Celery's own would wait for a connection before each entry

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._wakeups = broker.wakeups(app)

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:
        """Wake the entry's queue."""
        self._wakeups.wake(Queue(str(entry.name)))

    def close(self) -> None:
        """Wake no more."""
        self._wakeups.close()
        super().close()
