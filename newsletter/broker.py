"""The broker that carries rings from one process to another."""

from celery import Celery
from kombu import Queue

from newsletter.doorbell import CoalescingDoorbell, Room

ENOUGH = 10  # rings that wait in a room; one would do if none was ever lost

_REDIS = {
    # Redis may be frozen or gone. Then a ring is lost after five seconds (harmless), rather than retried for ever.
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "max_retries": 0,
    "socket_keepalive": True,  # a network that swallows everything is noticed too
    "visibility_timeout": 3600,  # far above a ring, which would else be rung again while it is being answered
    "priority_steps": [0],  # one list for each room instead of four
}
_MEMORY = {"polling_interval": 0.02}


def connect(url: str | None) -> Celery:
    """A Celery app that can ring in every room; without a URL only within this process."""
    app = Celery("workers", broker=url or "memory://localhost/", set_as_current=False)
    app.conf.update(
        broker_transport_options=_REDIS if url else _MEMORY,
        task_queues=[Queue(room) for room in Room],
        task_default_queue=Room.UPKEEP,
        task_create_missing_queues=False,
        task_routes={task_name(room): {"queue": room.value} for room in Room},
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,  # what came of it stands in the database
        result_expires=None,
        timezone="UTC",
    )
    return app


def task_name(room: Room) -> str:
    """The task that does what is to be done in a room; it takes no arguments."""
    return f"workers.{room}"


def ring(app: Celery, room: Room) -> None:
    """Ring in a room, unless enough rings wait there: while no worker runs they must not pile up in the broker.

    It goes straight to the queue, by no exchange and no binding: nothing has to be in Redis before. May block for
    seconds, and raises what the broker does.
    """
    with app.producer_or_acquire() as producer:
        # What the channel declares it only remembers; to Redis this is the one question how long the list is.
        waiting = producer.channel.queue_declare(queue=room.value).message_count
        if waiting < ENOUGH:
            app.send_task(task_name(room), producer=producer, retry=False)


def doorbell(app: Celery) -> CoalescingDoorbell:
    """A doorbell that rings for the workers of that app."""
    return CoalescingDoorbell(lambda room: ring(app, room))
