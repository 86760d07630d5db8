"""Two workers with ten hostile feeds: sound feeds are asked on time, letters leave, and memory stays flat."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from itertools import repeat
from pathlib import Path

import pytest
from sqlalchemy import select, update

from newsletter import clock, newsletters
from newsletter.bench import costs
from newsletter.content.feeds.feeds import Feed
from newsletter.queues.wakeups import Queue
from tests.chaos.service import running_service
from tests.chaos.signups import Crowd
from tests.content.downloading import hostile
from tests.local_http import LocalHttp
from tests.processes import WORKER, Process, connected_wakeups, running
from tests.waiting import eventually

SOUND = 30
RSS = b"<rss version='2.0'><channel><title>Town</title><item><title>Bus</title><link>/bus</link></item></channel></rss>"
ON_TIME = 30  # seconds; a machine that runs other tests needs a few
HOSTILE = {
    "nested-gzip": hostile.coded(hostile.nested_gzip(3), ", ".join(["gzip"] * 4)),
    "gzip-without-output": hostile.without_output()["empty blocks"],
    "header": {"headers": {"X-Filler": "a" * 50_000_000}},
    "drip": hostile.slow(),
    "markup": {"body": hostile.UNCLOSED},
    "redirects": {"status": 302, "headers": {"Location": "/redirects"}},
    "huge": {"body": b"<rss>" * 4_000_000},
    "endless": {"body": repeat(b"<rss>" * 10_000)},
    "silence": {"body": [b"x"], "pause": 600},
    "page": {"body": b"<!DOCTYPE html><html><title>Welcome</title></html>"},
    "memory": {"body": hostile.LONG_BASE},
}
OVER_LIMITS = {"markup": "processor time", "memory": "512 MB of memory"}


@pytest.mark.slow
def test_sound_feeds_and_letters_do_not_wait_for_hostile_ones(
    postgresql_url, redis_url, smtp_sink, tmp_path: Path, site: LocalHttp
):
    readers = [f"reader{number}@example.org" for number in range(40)]
    with running_service(postgresql_url, redis_url, smtp_sink, tmp_path) as service:
        environment = {**service.processes.settings, "NEWSLETTER_FEED_ALLOW": "127.0.0.1"}
        second = Process("second", [*WORKER, "-n", "second", "--loglevel", "warning"], environment, tmp_path)
        service.processes.worker.stop()
        first = Process("first", [*WORKER, "-n", "first", "--loglevel", "warning"], environment, tmp_path)
        with running(first, second), connected_wakeups(redis_url) as wakeups:
            rounds, memory = [], []
            with service.database.writing() as session:
                add_feeds(session, site)
            for _ in range(2):
                with service.database.writing() as session:
                    session.execute(update(Feed).values(next_try_at=clock.now()))
                asked = partial(tried, service.database, clock.now())
                wakeups.wake(Queue.FEEDS)
                wait_for(asked, sound_names(), within=ON_TIME)
                wait_for(asked, sound_names() | HOSTILE.keys(), within=240)
                rounds.append(waits(service.database))
                memory.append([costs.resident_mb(worker.pid) for worker in (first, second)])
            crowd = Crowd(service.processes.base_url, readers)
            with crowd.signing_up():
                wakeups.wake(Queue.FEEDS)
            assert service.letters_by_reader(len(readers)) == Counter(readers)
            assert first.runs
            assert second.runs
    errors = {name: error for name, (error, _, _) in rounds[1].items() if error}
    assert errors.keys() == HOSTILE.keys()
    for name, (_, overruns, wait) in rounds[1].items():
        assert name not in HOSTILE or wait > rounds[0][name][2], f"{name} waits longer"
        assert (overruns == 2) == (name in OVER_LIMITS), errors.get(name)
        assert OVER_LIMITS.get(name, "") in errors.get(name, "")
    assert all(after < before + 60 for before, after in zip(*memory, strict=True)), memory


def wait_for(asked: Callable[[], set[str]], names: set[str], *, within: float) -> None:
    eventually(lambda: asked() >= names, within=within, every=0.2)


def add_feeds(session, site: LocalHttp) -> None:
    reader = newsletters.named(session, "morning")
    urls = [site.put(f"/{name}", **reply) for name, reply in HOSTILE.items()]
    urls += [site.put(f"/{name}", RSS) for name in sorted(sound_names())]
    for url in urls:
        session.add(Feed(newsletter_id=reader.id, url=url, added_at=clock.now(), next_try_at=clock.now()))


def sound_names() -> set[str]:
    return {f"sound{number}" for number in range(SOUND)}


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def tried(database, since: datetime) -> set[str]:
    """Return the names of the feeds that were asked since then."""
    with database.reading() as session:
        return {name_of(url) for url in session.scalars(select(Feed.url).where(Feed.checked_at >= since))}


def waits(database) -> Mapping[str, tuple[str | None, int, float]]:
    """Return each feed's error, how often it exceeded a limit, and the seconds until its next try."""
    with database.reading() as session:
        return {
            name_of(feed.url): (feed.error, feed.overruns, (feed.next_try_at - feed.checked_at).total_seconds())
            for feed in session.scalars(select(Feed))
        }
