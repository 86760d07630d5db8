"""The app of `celery -A workers worker` and `celery -A workers beat`.

It is made when Celery asks for it, so that importing the workers reads no settings.
"""

from functools import cache
from threading import Event

from celery import Celery

from newsletter import broker, settings, startup
from newsletter.doorbell import Room
from newsletter.errors import Misconfigured
from workers import lifetime, saying, tasks, works
from workers.app import make_app
from workers.lifetime import Once


def __getattr__(name: str) -> Celery:
    if name != "app":
        raise AttributeError(name)
    with startup.or_end():
        return app_of_the_environment()


@cache
def app_of_the_environment() -> Celery:
    """The workers' app as the environment's settings describe it. Raises Misconfigured without a Redis."""
    configured = settings.load()
    if not configured.redis_url:
        raise Misconfigured(
            "NEWSLETTER_REDIS_URL: not set. Workers of their own are rung through Redis; "
            "for everything in one process use: newsletter serve"
        )
    app = make_app(configured.redis_url)
    saying.through_our_logs(app)
    stop = Event()
    doorbell = Once(lambda: broker.doorbell(app))
    # A worker that is idle need not wait for the beat: whoever finds more than it can carry at once rings for it.
    made = Once(lambda: works.build(configured, stop=stop, more=lambda: doorbell().ring(Room.BULK)))
    tasks.register(app, made, doorbell)
    lifetime.attend(made, doorbell, stop)
    return app
