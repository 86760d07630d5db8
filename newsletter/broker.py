"""The broker that carries rings from one process to another."""

from celery import Celery
from kombu import Queue

from newsletter.doorbell import CoalescingDoorbell, Room

# Redis may be frozen or gone. Then a ring is lost after five seconds (harmless), rather than retried for ever.
_REDIS = {"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 0, "visibility_timeout": 3600}
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


def doorbell(app: Celery) -> CoalescingDoorbell:
    """A doorbell that rings for the workers of that app."""

    def send(room: Room) -> None:
        app.send_task(task_name(room), retry=False)

    return CoalescingDoorbell(send)
