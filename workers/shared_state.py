"""The state that all workers share, in Redis. While Redis is away, each worker keeps to its share of a rate."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from newsletter.mail.pace.shared_state import (
    LIFETIME_SECONDS,
    MAX_RESERVATIONS_AHEAD,
    LocalSharedState,
    PaceChange,
    PaceState,
    SharedState,
)
from newsletter.redaction import WARNING_INTERVAL

T = TypeVar("T")

REDIS_TIMEOUT = 0.2  # seconds; only one call waits for it: while Redis is away, no transport waits
RECONNECT_INTERVAL = 2.0  # seconds between two attempts of a background thread to reach Redis again
PROCESS_SECONDS = 10.0  # for which a process is counted after it last asked
COUNT_SECONDS = 1.0  # for which the number of processes is cached
MAX_TRIES = 8  # to change a state that other processes are changing

# All workers share Redis's clock. What a script writes expires by itself.
CLOCK = "local t = redis.call('TIME') local now = t[1] + t[2] / 1000000 "
RESERVE = (
    CLOCK
    + """
local length = ARGV[1] / ARGV[2]
local start = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
if start - now > tonumber(ARGV[3]) * length then start = now end
local ahead = start + length - now
redis.call('SET', KEYS[1], string.format('%.6f', start + length), 'PX', math.ceil(ahead * 1000) + 1000)
return string.format('%.6f', start - now)
"""
)
READ = CLOCK + "return {redis.call('GET', KEYS[1]) or '', string.format('%.6f', now)}"
WRITE = (
    CLOCK
    + """
local known = redis.call('GET', KEYS[1]) or ''
if known == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
    return {1, known, string.format('%.6f', now)}
end
return {0, known, string.format('%.6f', now)}
"""
)
COUNT = (
    CLOCK
    + """
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + ARGV[2], '+inf')
redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[2]))
return redis.call('ZCARD', KEYS[1])
"""
)

log = logging.getLogger(__name__)


class RedisSharedState:
    """The shared state in Redis. While Redis is away, a local state with this process's share of a rate replaces it."""

    def __init__(
        self, url: str, *, timeout: float = REDIS_TIMEOUT, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client: Any = Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._reserve, self._read, self._write, self._count = map(
            self._client.register_script, (RESERVE, READ, WRITE, COUNT)
        )
        self._monotonic = monotonic
        self._ahead = 0.0  # seconds by which Redis's clock was ahead of the monotonic clock when it last answered
        self._local = LocalSharedState(clock=lambda: monotonic() + self._ahead)
        self._process = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._process_counts: dict[str, tuple[int, float]] = {}  # with the time when Redis was asked
        self._is_away = False
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._warned_at = -float("inf")

    def reserve(self, key: str, *, rate: float, turns: int) -> float:
        """Reserve the next turns; while Redis is away, of this process's share."""
        seconds = self._try(lambda: self._reserve([_name(key, "turns")], [turns, rate, MAX_RESERVATIONS_AHEAD]))
        if seconds is None:
            processes, _ = self._process_counts.get(key, (1, 0.0))
            return self._local.reserve(key, rate=rate / processes, turns=turns)
        return float(seconds)

    def change(self, key: str, change: PaceChange) -> tuple[PaceState, float]:
        """Change the state under a key. An emptied Redis gets the state that this process remembers."""
        changed = self._try(lambda: self._change(key, change))
        return self._local.change(key, change) if changed is None else changed

    def process_count(self, key: str) -> int:
        """Return how many processes send there; while Redis is away, how many there were."""
        processes, asked_at = self._process_counts.get(key, (1, -float("inf")))
        if self._monotonic() - asked_at < COUNT_SECONDS:
            return processes
        counted = self._try(lambda: self._count([_name(key, "company")], [self._process, PROCESS_SECONDS]))
        processes = max(1, int(counted or processes))
        self._process_counts[key] = processes, self._monotonic()
        return processes

    def close(self) -> None:
        """Stop being counted, if Redis can be reached, and close the connections."""
        self._closed.set()
        for key in self._process_counts:
            self._try(lambda key=key: self._client.zrem(_name(key, "company"), self._process))  # type: ignore[misc]
        with suppress(RedisError, OSError):
            self._client.close()

    def _change(self, key: str, change: PaceChange) -> tuple[PaceState, float]:
        name = _name(key, "notes")
        raw, time_text = self._read([name], [])
        for _ in range(MAX_TRIES):
            now = self._set_clock(time_text)
            state = _parse(raw) if raw else self._local.get(key)
            changed = change(state, now)
            if changed == state and (raw or changed == PaceState()):
                break
            is_written, raw, time_text = self._write([name], [raw, _serialize(changed, raw), int(LIFETIME_SECONDS)])
            if is_written:
                state = changed
                break
        else:
            log.info("too many workers change the shared state of %s at once; one change was dropped", key)
        self._local.set(key, state)
        return state, now

    def _set_clock(self, time_text: str) -> float:
        now = float(time_text)
        self._ahead = now - self._monotonic()
        return now

    def _try(self, call: Callable[[], T]) -> T | None:
        """Return the result of a Redis call; None while Redis is away."""
        if self._is_away:
            return None
        try:
            return call()
        except (RedisError, OSError) as error:
            self._disconnect(error)
            return None

    def _disconnect(self, error: Exception) -> None:
        """Continue without Redis, and let a thread check when it is back."""
        with self._lock:
            if self._is_away or self._closed.is_set():
                return
            self._is_away = True
        if self._monotonic() - self._warned_at >= WARNING_INTERVAL:
            self._warned_at = self._monotonic()
            # Only the error's type: its message may contain the URL, and so the password.
            log.warning("Redis is away (%s): each worker keeps to its share of a relay's rate", type(error).__name__)
        threading.Thread(target=self._reconnect, name="shared-state", daemon=True).start()

    def _reconnect(self) -> None:
        while not self._closed.wait(RECONNECT_INTERVAL):
            with suppress(RedisError, OSError):
                self._client.ping()
                self._is_away = False
                return


def _name(key: str, kind: str) -> str:
    return f"newsletter:{kind}:{key}"


def _serialize(state: PaceState, before: str) -> str:
    """Return the JSON of a state. Keys that only another release knows keep their values from before."""
    return json.dumps(_object(before) | state._asdict())


def _parse(raw: str) -> PaceState:
    """Return the state in the JSON, without the keys that only another release knows."""
    return PaceState(**{name: value for name, value in _object(raw).items() if name in PaceState._fields})


def _object(raw: str) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def shared_state(redis_url: str | None) -> SharedState:
    """Return the state that these workers share: in Redis if there is one, else in this process."""
    return RedisSharedState(redis_url) if redis_url else LocalSharedState()
