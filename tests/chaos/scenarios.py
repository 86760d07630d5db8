"""The scenarios: what happens to the service while an issue leaves, and what may come of it.

Each has a long form and a short one; what is random in it comes from the seed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from newsletter.post.deliveries import Status
from newsletter.post.recorder import GROUP
from tests.chaos import departures, judge
from tests.chaos.report import Report
from tests.chaos.stand import Stand, laid

CONNECTIONS = 20  # of all workers together to the relay
PATIENCE = 180.0  # seconds for an issue to leave once everything is well again


@dataclass(frozen=True)
class Allowed:
    """What is not wrong, though it would be in quiet times."""

    doubled: int = 0
    failed: int = 0
    unknown: int = 0
    withheld: int = 0
    left: Mapping[str, float] = field(default_factory=dict)  # when which reader had left
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    says: str
    happens: Callable[[Stand, bool], Allowed]  # while the issue leaves; the flag is for the short form
    readers: tuple[int, int]  # in the long form and in the short one
    mood: Mapping[str, float] = field(default_factory=dict)  # the relay's, from the beginning
    options: str = ""  # of the relay's URL
    faked: bool = False  # the workers go by a clock that can be put forward and back
    time_passes: bool = False  # and it is, so that nobody has to wait for a letter's next try
    with_web: bool = False


def run(name: str, *, seed: int, short: bool, folder: Path, readers: int | None = None) -> Report:
    """Perform the scenario of that name; what came of it."""
    return perform(SCENARIOS[name], name, seed=seed, short=short, folder=folder, readers=readers)


def perform(
    scenario: Scenario, name: str, *, seed: int, short: bool, folder: Path, readers: int | None = None
) -> Report:
    """Perform any scenario."""
    audience = readers or scenario.readers[short]
    with laid(
        folder,
        audience=audience,
        seed=seed,
        connections=CONNECTIONS,
        options=scenario.options,
        faked=scenario.faked,
        time_passes=scenario.time_passes,
        with_web=scenario.with_web,
    ) as stand:
        stand.relay.mood(**scenario.mood)
        stand.send()
        allowed = scenario.happens(stand, short)
        in_time = stand.finish(within=PATIENCE)
        return weigh(stand, name, seed, allowed, in_time=in_time)


def weigh(stand: Stand, name: str, seed: int, allowed: Allowed, *, in_time: bool) -> Report:
    """What the database, the relay and doctor say in the end, against what is allowed."""
    arrivals = stand.relay.arrivals()
    verdict = judge.judge(stand.owed(), arrivals)
    counts = verdict.counts
    most = {Status.FAILED: allowed.failed, Status.UNKNOWN: allowed.unknown, Status.WITHHELD: allowed.withheld}
    errors = [
        *([] if in_time else [f"the issue had not left {PATIENCE:g} s after everything was well"]),
        *([f"{verdict.lost} letters are lost"] if verdict.lost else []),
        *([f"more than {allowed.doubled} letters came twice"] if verdict.doubled > allowed.doubled else []),
        *(f"{counts[each]} letters are {each}, {n} may be" for each, n in most.items() if counts[each] > n),
        *([] if counts.total() == stand.audience else [f"of {stand.audience} readers {counts.total()} were owed one"]),
        *verdict.errors,
        *judge.late(allowed.left, arrivals),
        *allowed.errors,
        *stand.doctor(),
    ]
    return Report(
        scenario=name,
        seed=seed,
        audience=stand.audience,
        sent=counts[Status.SENT],
        withheld=counts[Status.WITHHELD],
        failed=counts[Status.FAILED],
        cancelled=counts[Status.CANCELLED],
        unknown=counts[Status.UNKNOWN],
        lost=verdict.lost,
        doubled=verdict.doubled,
        seconds=round((stand.ended or time.monotonic()) - stand.begun, 1),
        may_be_doubled=allowed.doubled,
        errors=errors,
        notes=allowed.notes,
    )


def under_way(stand: Stand, part: float) -> None:
    """Return when that part of the letters has arrived."""
    stand.until(lambda: stand.relay.taken() >= part * stand.audience, within=PATIENCE)


def sigkill(stand: Stand, short: bool) -> Allowed:
    kills = done = 3 if short else 20
    for number in range(kills):
        goal = stand.relay.taken() + stand.audience // (3 * kills)
        if not stand.until(lambda goal=goal: stand.relay.taken() >= goal and stand.carrying(), within=PATIENCE):
            done = number
            break
        victim = stand.chance.choice(stand.carrying() or stand.workers)
        victim.kill()
        victim.start()
    stand.finish(within=PATIENCE)
    doubled = judge.judge(stand.owed(), stand.relay.arrivals()).doubled
    errors = () if done == kills else (f"the issue had left after {done} of {kills} kills",)
    return Allowed(
        doubled=done * (CONNECTIONS + 2 * GROUP),
        notes=(f"{done} kills; {doubled / max(1, done):.1f} letters doubled by each on average",),
        errors=errors,
    )


def sigterm(stand: Stand, short: bool) -> Allowed:
    ends = 2 if short else 8
    for number in range(ends):
        under_way(stand, (number + 1) / (ends + 2))
        victim = stand.workers[number % len(stand.workers)]
        victim.terminate()
        victim.wait()
        victim.start()
    return Allowed()


def redis_killed(stand: Stand, short: bool) -> Allowed:
    under_way(stand, 0.2)
    stand.redis.kill()
    time.sleep(3 if short else 10)
    stand.redis.start()
    return Allowed()


def redis_frozen(stand: Stand, short: bool) -> Allowed:
    under_way(stand, 0.2)
    with stand.redis.frozen():
        time.sleep(10)
    return Allowed()


def redis_flushed(stand: Stand, short: bool) -> Allowed:
    under_way(stand, 0.1)
    with Redis.from_url(stand.redis.url) as client:
        while not stand.has_left():
            client.flushall()
            time.sleep(0.3)
    return Allowed()


def postgresql_restarted(stand: Stand, short: bool) -> Allowed:
    for number in range(2 if short else 5):
        under_way(stand, 0.15 * (number + 1))
        stand.postgresql.kill()
        stand.postgresql.start()
    return Allowed()


def postgresql_away(stand: Stand, short: bool) -> Allowed:
    under_way(stand, 0.3)
    stand.postgresql.kill()
    time.sleep(10 if short else 30)
    stand.postgresql.start()
    return Allowed()


def relay_away(stand: Stand, short: bool) -> Allowed:
    under_way(stand, 0.3)
    stand.relay.mood(away=True)
    time.sleep(10 if short else 30)
    stand.relay.mood(**SCENARIOS["relay-away"].mood)
    return Allowed()


def moody(stand: Stand, short: bool) -> Allowed:
    """The relay's mood is all that happens."""
    return Allowed()


def refusing(stand: Stand, short: bool) -> Allowed:
    """1 in 10 recipients does not exist; the letters after theirs must not go astray."""
    stand.finish(within=PATIENCE)
    refused = {one.recipient for one in stand.relay.arrivals() if one.told == 550}
    failed = {reader for reader, status in stand.owed().items() if status is Status.FAILED}
    errors = () if refused == failed else (f"{len(refused)} readers were refused, {len(failed)} letters failed",)
    return Allowed(failed=len(refused), errors=errors)


def breaking_off(stand: Stand, short: bool) -> Allowed:
    """Connections end in the middle of letters; what was not answered may come twice."""
    stand.finish(within=PATIENCE)
    arrivals = stand.relay.arrivals()
    dropped = sum(one.told == 0 for one in arrivals)
    again = sum(one.told == 0 and stand_again > 1 for one, stand_again in _tries(arrivals))
    taken = sum(one.told == 0 and one.fate == "taken" for one in arrivals)
    return Allowed(
        doubled=dropped,
        unknown=again,
        notes=(f"{dropped} connections ended without a word, {taken} of them after the letter was taken",),
    )


def _tries(arrivals):
    """Each arrival that was not answered, with how often its letter had come to that by then."""
    seen: dict[str, int] = {}
    for one in arrivals:
        if one.told == 0:
            seen[one.recipient] = seen.get(one.recipient, 0) + 1
            yield one, seen[one.recipient]


def leaving(stand: Stand, short: bool) -> Allowed:
    left = departures.one_by_one(stand, one_in=50)
    return Allowed(withheld=len(left), left=left, notes=(f"{len(left)} readers left",))


def leaving_slowly(stand: Stand, short: bool) -> Allowed:
    left = departures.one_by_one(stand, one_in=10)
    return Allowed(withheld=len(left), left=left, notes=(f"{len(left)} readers left",))


def clock_jumping(stand: Stand, short: bool) -> Allowed:
    assert stand.clock
    for number, hours in enumerate((1, -1, -1, 1)):
        under_way(stand, 0.2 * (number + 1))
        stand.clock.jump(hours * 3600)
    in_time = stand.finish(within=90)
    return Allowed(errors=() if in_time else ("it did not leave in the time that it takes",))


FAR = {"delay": 0.02}  # a relay at some distance, so that the issue lasts a while

SCENARIOS: dict[str, Scenario] = {
    "sigkill": Scenario("a random worker is killed again and again", sigkill, (40_000, 4000), {"delay": 0.05}),
    "sigterm": Scenario("workers are told to end, as at a deployment", sigterm, (20_000, 3000), {"delay": 0.05}),
    "redis-killed": Scenario("Redis is killed, and comes back empty", redis_killed, (10_000, 2000), {"delay": 0.05}),
    "redis-frozen": Scenario("Redis takes connections and never answers", redis_frozen, (10_000, 2000), FAR),
    "redis-flushed": Scenario("Redis is emptied several times a second", redis_flushed, (10_000, 2000), FAR),
    "postgresql-restarted": Scenario("PostgreSQL ends at once", postgresql_restarted, (20_000, 3000), {"delay": 0.05}),
    "postgresql-away": Scenario("PostgreSQL is away for a while", postgresql_away, (10_000, 2000), FAR),
    "relay-away": Scenario("the relay is away for a while", relay_away, (10_000, 2000), FAR),
    "greylisting": Scenario(
        "the relay says 450 to everybody first", moody, (5000, 1000), {"greylist": 1}, faked=True, time_passes=True
    ),
    "storms": Scenario(
        "the relay says 421 in between", moody, (10_000, 1000), {"storm": 0.01}, faked=True, time_passes=True
    ),
    "refusals": Scenario("1 in 10 recipients is refused", refusing, (10_000, 2000), {"refuse": 0.1}),
    "drop-after-dot": Scenario(
        "the relay hangs up after letters, taken or not",
        breaking_off,
        (10_000, 1000),
        {"drop": 0.005},
        faked=True,
        time_passes=True,
    ),
    "one-byte-a-second": Scenario(
        "the relay hardly reads some connections",
        breaking_off,
        (10_000, 1000),
        {"slow": 0.3, "slow_for": 15},
        faked=True,
        time_passes=True,
    ),
    "leaving": Scenario("1 in 50 readers leaves meanwhile", leaving, (20_000, 3000), {"delay": 0.05}, with_web=True),
    "leaving-slowly": Scenario(
        "1 in 10 leaves while 14 letters a second go out",
        leaving_slowly,
        (1000, 250),
        options="&rate=14",
        with_web=True,
    ),
    "clock": Scenario(
        "the workers' clock jumps an hour, both ways", clock_jumping, (10_000, 3000), {"delay": 0.05}, faked=True
    ),
}
