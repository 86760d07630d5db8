"""What all carriers know together: one contract, in the process and in Redis; and Redis away, frozen, emptied."""

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
from tests.waiting import eventually
from workers.shared_state import AGAIN, PATIENCE, RedisSharedState

RELAY = "relay:relay.example:25"
TAKEN = Result(1, 1, Outcome.TAKEN, Reply(250, "2.0.0", "ok"), NOON)


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
def carrier(request) -> Iterator[Callable[[], SharedState]]:
    """Makes the board as one more carrier has it."""
    if request.param == "local":
        board = LocalSharedState()
        yield lambda: board
        return
    url = request.getfixturevalue("redis_url")
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(RedisSharedState(url)))


def marked(board: SharedState, marks: str, key: str = "issue:1") -> PaceState:
    notes, _ = board.change(key, lambda notes, _: notes._replace(marks=notes.marks + marks))
    return notes


def test_nobody_is_given_the_same_turns(carrier):
    ann, bob = carrier(), carrier()
    starts = [board.reserve(RELAY, rate=10, turns=5) for board in (ann, bob, ann, bob)]
    assert starts[0] == pytest.approx(0, abs=0.001)
    assert starts[1:] == pytest.approx([0.5, 1.0, 1.5], abs=0.3)
    assert bob.reserve("relay:other.example:25", rate=10, turns=5) == pytest.approx(0, abs=0.001)


def test_turns_that_nobody_took_are_gone(carrier):
    ann = carrier()
    ann.reserve(RELAY, rate=1000, turns=10)
    time.sleep(0.05)
    assert ann.reserve(RELAY, rate=1000, turns=10) == pytest.approx(0, abs=0.001)


def test_turns_are_not_lost_to_a_clock_that_was_set_back(carrier):
    ann = carrier()
    for _ in range(150):
        start = ann.reserve(RELAY, rate=10, turns=10)
    assert start < 101


def test_what_one_writes_all_read(carrier):
    ann, bob = carrier(), carrier()
    assert marked(ann, "tt").marks == "tt"
    assert marked(bob, "g").marks == "ttg"
    assert marked(ann, "", key="issue:2") == PaceState()
    everything = PaceState("tgr", 3.5, 7.0, 1.5, 2.5, 3, True, "550 5.7.1 nein, danke: ü", 9, 8.0, 4.0)
    assert bob.change(RELAY, lambda *_: everything)[0] == everything
    assert ann.change(RELAY, lambda notes, _: notes)[0] == everything


def test_all_have_the_same_time(carrier):
    (_, now), (_, later) = (carrier().change(RELAY, lambda notes, _: notes) for _ in range(2))
    assert 0 <= later - now < 5


def test_nothing_comes_between_a_change(carrier):
    boards = [carrier() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: [marked(boards[n], "t") for _ in range(10)], range(4)))
    written = len(marked(boards[0], "").marks)
    assert 30 <= written <= 40  # where all change the same at every moment, a change may come to nothing


def test_who_carries_alone_has_no_company(carrier):
    assert carrier().company(RELAY) == 1


@pytest.mark.redis
def test_connections_are_shared_by_all_who_carry(redis_url):
    relay = Relay(host="relay.example", port=25, connections=5)
    with ExitStack() as stack:
        boards = [stack.enter_context(closing(RedisSharedState(redis_url))) for _ in range(3)]
        paces = [SharedPace(board, relay) for board in boards]
        for pace in paces:
            pace.seats(5)
        late = SharedPace(stack.enter_context(closing(RedisSharedState(redis_url))), relay)
        assert late.seats(5) == 1
        assert late.seats(20) == 5
        boards[0].close()
        eventually(lambda: paces[1].seats(6) == 2, within=10)


@pytest.mark.redis
def test_letters_that_are_taken_cost_redis_next_to_nothing(redis_url):
    with closing(RedisSharedState(redis_url)) as board, Redis.from_url(redis_url) as redis:
        pace = SharedPace(board, Relay(host="relay.example", port=25, rate=100_000))
        began = time.monotonic()
        for _ in range(10_000):
            while pace.delay() > 0:
                time.sleep(0.001)
            pace.begun()
            pace.heard(TAKEN)
        seconds = time.monotonic() - began
        assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] <= 10 + 20 * seconds


@pytest.mark.redis
def test_nothing_that_redis_keeps_of_it_stays_for_ever(redis_url):
    with closing(RedisSharedState(redis_url)) as board, Redis.from_url(redis_url) as redis:
        board.reserve(RELAY, rate=10, turns=2)
        board.company(RELAY)
        marked(board, "tgt")
        assert len(redis.keys("*")) == 3
        assert all(0 < redis.ttl(key) <= 7200 for key in redis.keys("*"))


@pytest.mark.redis
def test_what_a_newer_release_notes_beside_ours_stays_and_what_is_no_note_at_all_is_replaced(redis_url):
    with closing(RedisSharedState(redis_url)) as board, Redis.from_url(redis_url) as redis:
        marked(board, "t", key="newer")
        marked(board, "t", key="broken")
        newer, broken = (f"newsletter:notes:{key}" for key in ("newer", "broken"))
        redis.set(newer, json.dumps({"marks": "tt", "warmed_up": True}))
        redis.set(broken, "[1]")
        assert [marked(board, "g", key=key).marks for key in ("newer", "broken")] == ["ttg", "g"]
        assert json.loads(redis.get(newer))["warmed_up"] is True
        assert json.loads(redis.get(broken))["marks"] == "g"


@pytest.mark.redis
def test_an_emptied_redis_is_told_again(redis_url):
    with closing(RedisSharedState(redis_url)) as board, Redis.from_url(redis_url) as redis:
        marked(board, "tttg")
        redis.flushall()
        assert marked(board, "t").marks == "tttgt"
        redis.script_flush()
        assert marked(board, "g").marks == "tttgtg"


@pytest.mark.redis
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_redis_that_is_away_is_waited_for_once_and_each_keeps_to_its_share(mortal_redis, how):
    with ExitStack() as stack:
        ann, bob = (stack.enter_context(closing(RedisSharedState(mortal_redis.url))) for _ in range(2))
        assert (ann.company(RELAY), bob.company(RELAY)) == (1, 2)
        marked(bob, "tg")
        with ExitStack() as away:
            if how == "frozen":
                away.enter_context(mortal_redis.frozen())
            else:
                mortal_redis.kill()
                away.callback(mortal_redis.start)
            began = time.monotonic()
            assert bob.reserve(RELAY, rate=10, turns=5) == pytest.approx(0, abs=0.001)
            assert time.monotonic() - began < PATIENCE + 0.15
            began = time.monotonic()
            assert bob.reserve(RELAY, rate=10, turns=5) == pytest.approx(1.0, abs=0.1)  # half of the rate is its own
            for _ in range(1000):
                bob.company(RELAY)
            assert marked(bob, "t").marks == "tgt"
            assert time.monotonic() - began < 0.2
        after = {"frozen": "tg", "killed": "tgt"}[how]  # one that comes back empty is told what bob remembers
        eventually(lambda: marked(bob, "").marks == after and marked(ann, "").marks == after, within=3 * AGAIN)


@pytest.mark.redis
def test_without_redis_from_the_start_letters_leave_all_the_same(mortal_redis):
    mortal_redis.kill()
    with closing(RedisSharedState(mortal_redis.url)) as board:
        began = time.monotonic()
        pace = SharedPace(board, Relay(host="relay.example", port=25, rate=1000))
        assert pace.seats(4) == 4
        assert pace.delay() == 0
        assert time.monotonic() - began < PATIENCE + 0.15
    mortal_redis.start()
