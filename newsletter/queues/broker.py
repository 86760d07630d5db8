"""The broker that carries wake-ups from one process to another."""

import kombu
from celery import Celery

from newsletter.queues.wakeups import BackgroundWakeups, Queue

WAITING_LIMIT = 10  # wake-ups that wait in a queue; one would suffice if none was ever lost

_REDIS = {
    # Redis may be frozen or gone. A wake-up is then lost after five seconds (harmless), not retried for ever.
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "max_retries": 0,
    "socket_keepalive": True,  # a network that swallows every packet is noticed too
    # A running wake-up is kept in the worker only: nothing is written to Redis when it ends, and nothing is put back
    # when the connection breaks. Without it test_a_worker_may_serve_some_queues_only fails.
    "ack_emulation": False,
    "priority_steps": [0],  # one list for each queue instead of four
}


def connect(url: str | None) -> Celery:
    """Return a Celery app that can wake every queue; without a URL only within this process."""
    app = Celery("workers", broker=url or "memory://localhost/", set_as_current=False)
    app.conf.update(
        broker_transport_options=_REDIS if url else {"polling_interval": 0.02},
        task_queues=[kombu.Queue(queue) for queue in Queue],
        task_default_queue=Queue.UPKEEP,
        task_create_missing_queues=False,
        task_routes={task_name(queue): {"queue": queue.value} for queue in Queue},
        task_ignore_result=True,  # the results are in the database
        result_expires=None,
    )
    return app


def task_name(queue: Queue) -> str:
    """Return the name of the task that does a queue's jobs; it takes no arguments."""
    return f"workers.{queue}"


def wake(app: Celery, queue: Queue) -> None:
    """Wake the workers of a queue, unless enough wake-ups wait: they must not pile up while no worker runs.

    The message goes directly to the queue, without exchange or binding, so Redis needs no preparation. May block for
    seconds, and raises the broker's errors.
    """
    with app.producer_or_acquire() as producer:
        # The channel only remembers the declaration; Redis gets one command, for the length of the list.
        waiting = producer.channel.queue_declare(queue=queue.value).message_count
        if waiting < WAITING_LIMIT:
            app.send_task(task_name(queue), producer=producer, retry=False)


def wakeups(app: Celery, *, interval: float = 0) -> BackgroundWakeups:
    """Return an object that wakes the workers of this app from a thread of its own, once in `interval` seconds."""
    return BackgroundWakeups(lambda queue: wake(app, queue), interval=interval)
