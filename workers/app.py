"""The Celery app of the workers, set up for short rings that may be lost, repeated or late."""

from collections.abc import Callable

from celery import Celery

from newsletter import broker
from newsletter.doorbell import Room
from workers import beat, worker


def make_app(broker_url: str | None) -> Celery:
    """An app that works in all rooms; without a broker's URL it rings within this process only.

    It becomes the process's default app: Celery looks for that one in the threads in which tasks run.
    """
    app = broker.connect(broker_url)
    app.conf.update(
        beat_schedule=beat.schedule(),
        beat_scheduler="workers.beat:Beat",
        task_acks_late=True,  # a ring that was cut short is rung again, in an hour at the latest
        worker_cancel_long_running_tasks_on_connection_loss=False,  # what a ring does is no business of Redis
        worker_concurrency=len(Room),  # a thread for each: one that is busy keeps no other waiting
        worker_consumer="workers.worker:Consumer",
        worker_disable_rate_limits=True,
        worker_enable_prefetch_count_reduction=False,  # rings that go on while Redis is away take no room from others
        worker_hijack_root_logger=False,
        worker_pool="threads",
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
    )
    vars(app)["Worker"] = app.subclass_with_self(worker.Worker)  # in place of what the app's property would find
    app.set_default()
    return app


def answer(app: Celery, room: Room, work: Callable[[], None]) -> None:
    """Do that work whenever the room is rung."""

    # Celery shares tasks among all apps of a process unless told otherwise, and wants a plain function.
    @app.task(name=broker.task_name(room), shared=False)
    def ring() -> None:
        work()
