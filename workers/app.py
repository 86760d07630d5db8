"""The Celery app of the workers, configured for short wake-ups that may be lost, repeated or late."""

from typing import Any

from celery import Celery, signals

from newsletter.queues import broker
from newsletter.queues.wakeups import Queue
from workers import schedule
from workers.reconnecting import AwaitBroker


def make_app(broker_url: str | None) -> Celery:
    """Return an app that works on all queues; without a broker's URL, within this process only.

    It becomes the process's default app, which Celery uses in the threads in which tasks run.
    """
    app = broker.connect(broker_url)
    app.conf.update(
        beat_schedule=schedule.entries(),
        beat_scheduler="workers.schedule:Schedule",
        # As in Celery 6; without it Celery 5 warns. It ends no task of ours: each is acknowledged as it begins.
        # With `task_acks_late` Kombu would put it back into a Redis that is away:
        # test_whatever_redis_does_nothing_is_lost_and_no_process_ends[gone] fails.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_concurrency=len(Queue),  # a thread for each: a busy queue delays no other
        worker_disable_prefetch=bool(broker_url),  # no wake-up waits for a busy worker; in memory there is only one
        worker_pool="threads",
        worker_prefetch_multiplier=1,
    )
    app.steps["consumer"].add(AwaitBroker)
    signals.worker_init.connect(_disable_gossip)
    app.set_default()
    return app


def _disable_gossip(*, sender: Any, **_: Any) -> None:
    """Switch off messages between workers, whatever the command line says; Celery has no setting for it.

    test_a_worker_may_serve_some_queues_only fails without it.
    """
    sender.options.update(without_gossip=True, without_heartbeat=True, without_mingle=True)
