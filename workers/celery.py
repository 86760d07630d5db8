"""The app of `celery -A workers worker` and `celery -A workers beat`.

It is made when Celery asks for it, so that importing the workers reads no settings.
"""

import sys
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TypeVar

from celery import Celery

from newsletter import broker, settings
from newsletter.errors import Misconfigured
from workers import saying, tasks, works
from workers.app import make_app

T = TypeVar("T")


def __getattr__(name: str) -> Celery:
    if name != "app":
        raise AttributeError(name)
    try:
        return app_of_the_environment()
    except Misconfigured as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's last word
        raise SystemExit(2) from None


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
    tasks.register(app, once(lambda: works.build(configured)), once(lambda: broker.doorbell(app)))
    return app


def once(make: Callable[[], T]) -> Callable[[], T]:
    """What `make` returns the first time, also when two threads ask at the same time."""
    lock, made = Lock(), cache(make)

    def get() -> T:
        with lock:
            return made()

    return get
