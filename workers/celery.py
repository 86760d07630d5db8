"""The app of `celery -A workers worker` and `celery -A workers beat`.

It is made when Celery asks for it, so that importing the workers reads no settings.
"""

from functools import cache, partial
from threading import Event

from celery import Celery, signals

from newsletter import settings, startup
from newsletter.errors import Misconfigured
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, LEASE_DURATION
from newsletter.queues import broker
from newsletter.queues.wakeups import Queue
from workers import context, lifetime, output, tasks
from workers.app import make_app
from workers.once import Once


def __getattr__(name: str) -> Celery:
    if name != "app":
        raise AttributeError(name)
    with startup.exit_on_error():
        return app_of_the_environment()


@cache
def app_of_the_environment(*, heartbeat: float = HEARTBEAT_INTERVAL, lease: float = LEASE_DURATION) -> Celery:
    """Return the workers' app that the environment's settings describe. Raises Misconfigured without a Redis.

    A worker writes a heartbeat every `heartbeat` seconds; after `lease` seconds without one its lease expires.
    """
    configured = settings.load()
    if not configured.redis_url:
        raise Misconfigured(
            "NEWSLETTER_REDIS_URL: not set. Separate workers are woken through Redis. "
            "To run everything in one process, use: newsletter serve"
        )
    app = make_app(configured.redis_url)
    output.log_like_the_site(app)
    stop, wakeups = Event(), broker.wakeups(app)
    # A worker that finds more letters than it claims at once wakes the queue, so idle workers join before the schedule.
    more = partial(wakeups.wake, Queue.BULK)
    built = Once(lambda: context.build(configured, heartbeat=heartbeat, lease=lease, stop=stop, on_more_due=more))
    tasks.register(app, built, wakeups)
    lifetime.connect_signals(built, wakeups, stop, heartbeat=heartbeat)
    signals.worker_init.connect(lambda **_: startup.warn_of_public_http(configured), weak=False)
    return app
