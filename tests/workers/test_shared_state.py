"""The state that all workers share: one contract, in memory and in Redis; and Redis away, frozen or emptied."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from redis import Redis

from newsletter.mail.pace.pace import SharedPace
from newsletter.mail.pace.shared_state import LocalSharedState, PaceState, SharedState
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.relays import Relay
from tests.clock import NOON
from tests.waiting import TIMEOUT, eventually
from workers.shared_state import RedisSharedState

RELAY = "relay:relay.example:25"
TAKEN = Result(1, 1, Outcome.TAKEN, Reply(250, "2.0.0", "ok"), NOON)


def state_in(url: str, stack: ExitStack) -> RedisSharedState:
    """Open the state in a Redis that answers, however busy the machine is."""
    return stack.enter_context(closing(RedisSharedState(url, timeout=TIMEOUT)))


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
def open_state(request) -> Iterator[Callable[[], SharedState]]:
    """Return a function that opens the shared state for one more worker."""
    if request.param == "local":
        shared_state = LocalSharedState()
        yield lambda: shared_state
        return
    url = request.getfixturevalue("redis_url")
    with ExitStack() as stack:
        yield lambda: state_in(url, stack)


def marked(shared_state: SharedState, marks: str, key: str = "issue:1") -> PaceState:
    state, _ = shared_state.change(key, lambda state, _: state._replace(marks=state.marks + marks))
    return state


def test_no_two_workers_get_the_same_turns(open_state):
    one, other = open_state(), open_state()
    began = time.monotonic()
    starts = [shared_state.reserve(RELAY, rate=0.1, turns=5) for shared_state in (one, other, one, other)]
    passed = time.monotonic() - began  # between two reservations, in which a turn comes nearer
    assert starts[0] == pytest.approx(0, abs=0.001)
    assert all(turn - passed <= start <= turn + 0.001 for turn, start in zip([50, 100, 150], starts[1:], strict=True))
    assert other.reserve("relay:other.example:25", rate=10, turns=5) == pytest.approx(0, abs=0.001)


def test_unused_turns_are_lost(open_state):
    one = open_state()
    one.reserve(RELAY, rate=1000, turns=10)
    time.sleep(0.05)
    assert one.reserve(RELAY, rate=1000, turns=10) == pytest.approx(0, abs=0.001)


def test_turns_are_not_lost_to_a_clock_that_was_set_back(open_state):
    one = open_state()
    for _ in range(150):
        start = one.reserve(RELAY, rate=10, turns=10)
    assert start < 101


def test_all_workers_read_what_one_writes(open_state):
    one, other = open_state(), open_state()
    assert marked(one, "tt").marks == "tt"
    assert marked(other, "g").marks == "ttg"
    assert marked(one, "", key="issue:2") == PaceState()
    everything = PaceState("tgr", 3.5, 7.0, 1.5, 2.5, 3, True, "550 5.7.1 nein, danke: ü", 9, 8.0, 4.0)
    assert other.change(RELAY, lambda *_: everything)[0] == everything
    assert one.change(RELAY, lambda state, _: state)[0] == everything


def test_all_workers_have_the_same_time(open_state):
    (_, now), (_, later) = (open_state().change(RELAY, lambda state, _: state) for _ in range(2))
    assert 0 <= later - now < TIMEOUT


def test_a_change_is_atomic(open_state):
    states = [open_state() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: [marked(states[n], "t") for _ in range(10)], range(4)))
    written = len(marked(states[0], "").marks)
    assert 30 <= written <= 40  # if all change the same key all the time, a change may be dropped


def test_a_process_that_sends_alone_counts_one(open_state):
    assert open_state().process_count(RELAY) == 1


@pytest.mark.redis
def test_all_workers_share_the_connections(redis_url):
    relay = Relay(host="relay.example", port=25, connections=5)
    with ExitStack() as stack:
        states = [state_in(redis_url, stack) for _ in range(3)]
        paces = [SharedPace(shared_state, relay) for shared_state in states]
        for pace in paces:
            pace.connection_limit(5)
        late = SharedPace(state_in(redis_url, stack), relay)
        assert late.connection_limit(5) == 1
        assert late.connection_limit(20) == 5
        states[0].close()
        eventually(lambda: paces[1].connection_limit(6) == 2)


@pytest.mark.redis
def test_taken_messages_cost_redis_few_calls(redis_url):
    with closing(RedisSharedState(redis_url, timeout=TIMEOUT)) as shared_state, Redis.from_url(redis_url) as redis:
        pace = SharedPace(shared_state, Relay(host="relay.example", port=25, rate=100_000))
        began = time.monotonic()
        for _ in range(10_000):
            while pace.delay() > 0:
                time.sleep(0.001)
            pace.message_begun()
            pace.record(TAKEN)
        seconds = time.monotonic() - began
        assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] <= 10 + 20 * seconds


@pytest.mark.redis
def test_every_key_in_redis_expires(redis_url):
    with closing(RedisSharedState(redis_url, timeout=TIMEOUT)) as shared_state, Redis.from_url(redis_url) as redis:
        shared_state.reserve(RELAY, rate=10, turns=2)
        shared_state.process_count(RELAY)
        marked(shared_state, "tgt")
        assert len(redis.keys("*")) == 3
        assert all(0 < redis.ttl(key) <= 7200 for key in redis.keys("*"))


@pytest.mark.redis
def test_keys_of_a_newer_release_are_kept_and_an_invalid_value_is_replaced(redis_url):
    with closing(RedisSharedState(redis_url, timeout=TIMEOUT)) as shared_state, Redis.from_url(redis_url) as redis:
        marked(shared_state, "t", key="newer")
        marked(shared_state, "t", key="broken")
        newer, broken = (f"newsletter:notes:{key}" for key in ("newer", "broken"))
        redis.set(newer, json.dumps({"marks": "tt", "warmed_up": True}))
        redis.set(broken, "[1]")
        assert [marked(shared_state, "g", key=key).marks for key in ("newer", "broken")] == ["ttg", "g"]
        assert json.loads(redis.get(newer))["warmed_up"] is True
        assert json.loads(redis.get(broken))["marks"] == "g"


@pytest.mark.redis
def test_an_emptied_redis_is_filled_from_memory(redis_url):
    with closing(RedisSharedState(redis_url, timeout=TIMEOUT)) as shared_state, Redis.from_url(redis_url) as redis:
        marked(shared_state, "tttg")
        redis.flushall()
        assert marked(shared_state, "t").marks == "tttgt"
        redis.script_flush()
        assert marked(shared_state, "g").marks == "tttgtg"


@pytest.mark.redis
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_missing_redis_is_waited_for_once_and_each_worker_keeps_to_its_share(restartable_redis, how):
    timeout = 3.0  # seconds: not to be reached while Redis is there, nor by all calls together once they do not wait
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(closing(RedisSharedState(restartable_redis.url, timeout=timeout))) for _ in range(2)
        )
        assert (one.process_count(RELAY), other.process_count(RELAY)) == (1, 2)
        marked(other, "tg")
        with ExitStack() as away:
            if how == "frozen":
                away.enter_context(restartable_redis.frozen())
            else:
                restartable_redis.kill()
                away.callback(restartable_redis.start)
            began = time.monotonic()
            assert other.reserve(RELAY, rate=0.1, turns=5) == pytest.approx(0, abs=0.001)
            waited = time.monotonic() - began
            start = other.reserve(RELAY, rate=0.1, turns=5)
            for _ in range(1000):
                other.process_count(RELAY)
            assert marked(other, "t").marks == "tgt"
            passed = time.monotonic() - began
            assert 100 - passed <= start <= 100, "half of the rate"
            assert waited >= timeout or how == "killed"
            assert passed < 2 * timeout, "only one call waits"
        after = {"frozen": "tg", "killed": "tgt"}[how]  # an empty Redis is filled with what a worker remembers
        eventually(lambda: marked(other, "").marks == after and marked(one, "").marks == after)


@pytest.mark.redis
def test_messages_leave_although_redis_is_away_from_the_start(restartable_redis):
    restartable_redis.kill()
    with closing(RedisSharedState(restartable_redis.url, timeout=TIMEOUT)) as shared_state:
        began = time.monotonic()
        pace = SharedPace(shared_state, Relay(host="relay.example", port=25, rate=1000))
        assert pace.connection_limit(4) == 4
        assert pace.delay() == 0
        assert time.monotonic() - began < TIMEOUT
    restartable_redis.start()
