"""The board that all workers share: in Redis, as long as that answers; else each keeps to its share by itself."""

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

from newsletter.mail.pace.shared_state import AHEAD, KEPT, LocalSharedState, PaceChange, PaceState, SharedState
from newsletter.queues.wakeups import QUIET

T = TypeVar("T")

PATIENCE = 0.2  # seconds that Redis is waited for, once: while it is away, nobody who carries waits for it
AGAIN = 2.0  # seconds between two looks, from a thread of their own, whether it is back
PRESENT = 10.0  # seconds that a process counts as company after it last asked
FRESH = 1.0  # seconds that the answer is kept
TRIES = 8  # at changing the same notes that others are changing

# Redis's own clock is the one that all workers share. What a script writes expires by itself.
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
COMPANY = (
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
    """A board in Redis. Where that is away, at once on a board of the process's own, at its share of each rate."""

    def __init__(self, url: str, *, patience: float = PATIENCE, ticks: Callable[[], float] = time.monotonic) -> None:
        self._client: Any = Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._reserve, self._read, self._write, self._company = map(
            self._client.register_script, (RESERVE, READ, WRITE, COMPANY)
        )
        self._ticks = ticks
        self._ahead = 0.0  # of our monotonic clock, as Redis's clock was when it last answered
        self._local = LocalSharedState(clock=lambda: ticks() + self._ahead)
        self._me = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._companies: dict[str, tuple[int, float]] = {}
        self._is_away = False
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._complained_at = -float("inf")

    def reserve(self, key: str, *, rate: float, turns: int) -> float:
        """Take the next so many turns; while Redis is away, of this process's share."""
        told = self._ask(lambda: self._reserve([_name(key, "turns")], [turns, rate, AHEAD]))
        if told is None:
            company, _ = self._companies.get(key, (1, 0.0))
            return self._local.reserve(key, rate=rate / company, turns=turns)
        return float(told)

    def change(self, key: str, step: PaceChange) -> tuple[PaceState, float]:
        """Change what stands under a key. An emptied Redis is told again what this process remembers."""
        changed = self._ask(lambda: self._change(key, step))
        return self._local.change(key, step) if changed is None else changed

    def company(self, key: str) -> int:
        """How many processes carry there; while Redis is away, as many as there were."""
        company, asked_at = self._companies.get(key, (1, -float("inf")))
        if self._ticks() - asked_at < FRESH:
            return company
        told = self._ask(lambda: self._company([_name(key, "company")], [self._me, PRESENT]))
        company = max(1, int(told or company))
        self._companies[key] = company, self._ticks()
        return company

    def close(self) -> None:
        """Leave all company, if Redis is there to be told."""
        self._closed.set()
        for key in self._companies:
            self._ask(lambda key=key: self._client.zrem(_name(key, "company"), self._me))  # type: ignore[misc]
        with suppress(RedisError, OSError):
            self._client.close()

    def _change(self, key: str, step: PaceChange) -> tuple[PaceState, float]:
        name = _name(key, "notes")
        raw, told = self._read([name], [])
        for _ in range(TRIES):
            now = self._set_clock(told)
            before = _notes(raw) if raw else self._local.known(key)
            after = step(before, now)
            if after == before and (raw or after == PaceState()):
                break
            written, raw, told = self._write([name], [raw, _text(after, raw), int(KEPT)])
            if written:
                before = after
                break
        else:
            log.info("many change what is known of %s at once; one change came to nothing", key)
        self._local.remember(key, before)
        return before, now

    def _set_clock(self, told: str) -> float:
        now = float(told)
        self._ahead = now - self._ticks()
        return now

    def _ask(self, question: Callable[[], T]) -> T | None:
        """What Redis says; None while it is away."""
        if self._is_away:
            return None
        try:
            return question()
        except (RedisError, OSError) as error:
            self._leave(error)
            return None

    def _leave(self, error: Exception) -> None:
        """Go on alone, and let a thread look whether it comes back."""
        with self._lock:
            if self._is_away or self._closed.is_set():
                return
            self._is_away = True
        if self._ticks() - self._complained_at >= QUIET:
            self._complained_at = self._ticks()
            # Only the kind: the message of a broker's error may contain its URL, and so its password.
            log.warning("Redis is away (%s): each worker keeps to its share of a relay's rate", type(error).__name__)
        threading.Thread(target=self._look_out, name="board", daemon=True).start()

    def _look_out(self) -> None:
        while not self._closed.wait(AGAIN):
            with suppress(RedisError, OSError):
                self._client.ping()
                self._is_away = False
                return


def _name(key: str, what: str) -> str:
    return f"newsletter:{what}:{key}"


def _text(notes: PaceState, before: str) -> str:
    """The notes as they are written. Keys of another release keep what stood there before."""
    return json.dumps(_stored(before) | notes._asdict())


def _notes(raw: str) -> PaceState:
    """The notes as they stand there, without the keys that only another release knows."""
    return PaceState(**{name: value for name, value in _stored(raw).items() if name in PaceState._fields})


def _stored(raw: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def shared_state(redis_url: str | None) -> SharedState:
    """The board of these workers: in Redis where there is one, else of this process."""
    return RedisSharedState(redis_url) if redis_url else LocalSharedState()
