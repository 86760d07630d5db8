"""The scenarios: what happens to the service while an issue leaves, and what may come of it.

Each has a long form and a short one; what is random in it comes from the seed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.mail.delivery.deliveries import DeliveryStatus
from tests.chaos import comparison, disturbances, small_disk
from tests.chaos.disturbances import CONNECTIONS, PATIENCE, Allowed
from tests.chaos.environment import laid
from tests.chaos.report import Report
from tests.chaos.running_issue import Ground
from tests.processes import SHORT_LEASES, WORKER


@dataclass(frozen=True)
class Scenario:
    says: str
    happens: Callable[[Any, bool], Allowed]  # while the issue leaves; the flag is for the short form
    readers: tuple[int | None, int | None]  # in the long form and in the short one; None: it has no such form
    mood: Mapping[str, float] = field(default_factory=dict)  # the relay's, from the beginning
    options: str = ""  # of the relay's URL
    faked: bool = False  # the workers go by a clock that can be put forward and back
    time_passes: bool = False  # and it is, so that nobody has to wait for a letter's next try
    with_web: bool = False
    workers: tuple[int, int] = (2, 2)
    on_a_small_disk: bool = False  # all in one process, on SQLite, without a relay


def run(name: str, *, seed: int, short: bool, folder: Path, readers: int | None = None) -> Report:
    """Perform the scenario of that name; what came of it."""
    return perform(SCENARIOS[name], name, seed=seed, short=short, folder=folder, readers=readers)


def perform(
    scenario: Scenario, name: str, *, seed: int, short: bool, folder: Path, readers: int | None = None
) -> Report:
    """Perform any scenario."""
    audience = readers or scenario.readers[short] or scenario.readers[not short]
    assert audience
    with _place(scenario, folder, audience, seed, short=short) as place:
        place.send()
        allowed = scenario.happens(place, short)
        in_time = place.finish(within=PATIENCE)
        return weigh(place, name, seed, allowed, in_time=in_time, short=short)


@contextmanager
def _place(scenario: Scenario, folder: Path, audience: int, seed: int, *, short: bool) -> Iterator[Ground]:
    if scenario.on_a_small_disk:
        with small_disk.laid(folder, audience=audience, seed=seed) as embedded:
            yield embedded
        return
    with laid(
        folder,
        audience=audience,
        seed=seed,
        connections=CONNECTIONS,
        options=scenario.options,
        faked=scenario.faked,
        time_passes=scenario.time_passes,
        with_web=scenario.with_web,
        workers=scenario.workers[short],
        worker=SHORT_LEASES if short else WORKER,
    ) as stand:
        stand.relay.mood(**scenario.mood)
        yield stand


def weigh(stand: Ground, name: str, seed: int, allowed: Allowed, *, in_time: bool, short: bool) -> Report:
    """What the database, the relay and doctor say in the end, against what is allowed."""
    arrivals = stand.arrivals()
    verdict = comparison.judge(stand.owed(), arrivals)
    counts = verdict.counts
    most = {
        DeliveryStatus.FAILED: allowed.failed,
        DeliveryStatus.UNKNOWN: allowed.unknown,
        DeliveryStatus.WITHHELD: allowed.withheld,
    }
    errors = [
        *([] if in_time else [f"{PATIENCE:g} s after everything was well the issue was still {stand.status()}"]),
        *([f"{verdict.lost} letters are lost"] if verdict.lost else []),
        *([f"more than {allowed.doubled} letters came twice"] if verdict.doubled > allowed.doubled else []),
        *(f"{counts[each]} letters are {each}, {n} may be" for each, n in most.items() if counts[each] > n),
        *([] if counts.total() == stand.audience else [f"of {stand.audience} readers {counts.total()} were owed one"]),
        *verdict.errors,
        *comparison.late(allowed.left, arrivals),
        *allowed.errors,
        *(stand.doctor() if short else stand.command()),
    ]
    return Report(
        scenario=name,
        seed=seed,
        audience=stand.audience,
        sent=counts[DeliveryStatus.SENT],
        withheld=counts[DeliveryStatus.WITHHELD],
        failed=counts[DeliveryStatus.FAILED],
        cancelled=counts[DeliveryStatus.CANCELLED],
        unknown=counts[DeliveryStatus.UNKNOWN],
        lost=verdict.lost,
        doubled=verdict.doubled,
        seconds=round((stand.ended or time.monotonic()) - stand.begun, 1),
        may_be_doubled=allowed.doubled,
        errors=errors,
        notes=allowed.notes,
    )


FAR = {"delay": 0.05}  # at some distance, so that the issue lasts a while
PASSING: dict[str, Any] = {"faked": True, "time_passes": True, "workers": (2, 1)}

SCENARIOS: dict[str, Scenario] = {
    "sigkill": Scenario("a random worker is killed again and again", disturbances.sigkill, (40_000, 1500), FAR),
    "sigterm": Scenario("workers are told to end, as at a deployment", disturbances.sigterm, (20_000, 1200), FAR),
    "redis-killed": Scenario("Redis is killed, and comes back empty", disturbances.redis_killed, (10_000, None), FAR),
    "redis-frozen": Scenario("Redis takes connections and is silent", disturbances.redis_frozen, (10_000, None), FAR),
    "redis-flushed": Scenario("Redis is emptied again and again", disturbances.redis_flushed, (10_000, None), FAR),
    "redis": Scenario("Redis is emptied, killed and frozen", disturbances.redis_troubled, (None, 2000), FAR),
    "postgresql-restarted": Scenario("PostgreSQL ends at once", disturbances.postgresql_restarted, (20_000, None), FAR),
    "postgresql-away": Scenario("PostgreSQL is away for a while", disturbances.postgresql_away, (10_000, None), FAR),
    "postgresql": Scenario("PostgreSQL ends at once, and is away", disturbances.postgresql_troubled, (None, 1500), FAR),
    "relay-away": Scenario("the relay is away for a while", disturbances.relay_away, (10_000, 600), FAR, **PASSING),
    "greylisting": Scenario(
        "the relay says 450 to everybody first", disturbances.moody, (5000, 500), {"greylist": 1}, **PASSING
    ),
    "storms": Scenario("the relay says 421 in between", disturbances.stormy, (10_000, 1000), FAR, **PASSING),
    "refusals": Scenario(
        "1 in 50 recipients is refused", disturbances.refusing, (10_000, 1000), {"refuse": 0.02}, workers=(2, 1)
    ),
    "drop-after-dot": Scenario(
        "the relay hangs up after letters, taken or not",
        disturbances.breaking_off,
        (10_000, 500),
        {"drop": 0.01},
        **PASSING,
    ),
    "one-byte-a-second": Scenario(
        "the relay hardly reads some connections",
        disturbances.breaking_off,
        (10_000, 500),
        {"slow": 0.3, "slow_for": 15},
        **PASSING,
    ),
    "leaving": Scenario("1 in 50 readers leaves meanwhile", disturbances.leaving, (20_000, 2000), FAR, with_web=True),
    "leaving-at-full-speed": Scenario(
        "the same, as fast as letters leave", disturbances.leaving, (60_000, None), with_web=True
    ),
    "leaving-slowly": Scenario(
        "1 in 10 leaves while 14 letters a second go out",
        disturbances.leaving_slowly,
        (1000, 200),
        options="&rate=14",
        with_web=True,
        workers=(2, 1),
    ),
    "clock": Scenario(
        "the workers' clock jumps an hour, both ways", disturbances.clock_jumping, (10_000, 1500), FAR, faked=True
    ),
    "poison": Scenario("one letter ends whoever carries it", disturbances.poisoned, (2000, None)),
    "disk-full": Scenario("the outbox's disk is full", disturbances.disk_full, (1000, 300), on_a_small_disk=True),
}


def named(*, short: bool) -> list[str]:
    """The scenarios that have this form."""
    return [name for name, scenario in SCENARIOS.items() if scenario.readers[short]]
