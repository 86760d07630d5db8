"""The Celery app of the workers, configured for short wake-ups that may be lost, repeated or late."""

from typing import Any

from celery import Celery, signals

from newsletter import broker
from newsletter.wakeups import Queue
from workers import reconnecting, schedule

# A worker talks to no other one: what all have to know stands in the database.
ALONE = {"without_gossip": True, "without_heartbeat": True, "without_mingle": True}


def make_app(broker_url: str | None) -> Celery:
    """Return an app that works on all queues; without a broker's URL, within this process only.

    It becomes the process's default app: Celery looks for that one in the threads in which tasks run.
    """
    app = broker.connect(broker_url)
    app.conf.update(
        beat_schedule=schedule.entries(),
        beat_scheduler="workers.schedule:Schedule",
        task_acks_late=True,  # an unfinished wake-up counts against the prefetch: an idle worker takes the next
        worker_cancel_long_running_tasks_on_connection_loss=False,  # jobs do not need Redis
        worker_concurrency=len(Queue),  # a thread for each: a busy queue keeps no other waiting
        worker_disable_rate_limits=True,
        worker_enable_prefetch_count_reduction=False,  # jobs that go on while Redis is away take no place from others
        worker_hijack_root_logger=False,
        worker_pool="threads",
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
    )
    reconnecting.install(app)
    signals.worker_init.connect(_work_alone)
    app.set_default()
    return app


def _work_alone(*, sender: Any, **_: Any) -> None:
    """Set the options of `celery worker` for which there is no setting, whatever the command line says."""
    sender.options.update(ALONE)
