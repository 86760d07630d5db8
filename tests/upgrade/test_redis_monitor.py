"""The names that this release writes to Redis: an older or newer one beside it reads and writes the same."""

from contextlib import closing

import pytest

from newsletter.mail.pace.shared_state import PaceState
from newsletter.queues import broker
from newsletter.queues.wakeups import Queue
from tests.upgrade.redis_monitor import RedisMonitor
from tests.waiting import eventually
from workers.shared_state import RedisSharedState

NAMES = {
    "urgent <- workers.urgent",
    "bulk <- workers.bulk",
    "feeds <- workers.feeds",
    "upkeep <- workers.upkeep",
    "newsletter:turns:relay:*",
    "newsletter:company:relay:*",
    "newsletter:notes:relay:*",
}


@pytest.mark.redis
def test_wake_ups_and_the_shared_pace_keep_their_names_in_redis(redis_url):
    relay = "relay:127.0.0.1:2525"
    with closing(RedisMonitor(redis_url)) as monitor, closing(RedisSharedState(redis_url)) as state:
        eventually(lambda: monitor.reads)
        with broker.connect(redis_url) as app:
            for queue in Queue:
                broker.wake(app, queue)
        state.reserve(relay, rate=10, turns=1)
        state.process_count(relay)
        state.change(relay, lambda _, now: PaceState(limit=5.0, eased_at=now))
        eventually(lambda: monitor.names() >= NAMES)
        assert {name for name in monitor.names() if not name.startswith("_kombu.")} == NAMES
