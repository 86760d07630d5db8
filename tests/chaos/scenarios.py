"""The chaos scenarios: each disturbs the service while an issue is sent, and checks the result.

Each has a long form and a short one; its random decisions come from the seed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.mail.delivery.deliveries import DeliveryStatus
from tests.chaos import comparison, disturbances, small_disk
from tests.chaos.disturbances import CONNECTIONS, TIMEOUT, Tolerance
from tests.chaos.environment import running_environment
from tests.chaos.report import Report
from tests.chaos.running_issue import RunningIssue
from tests.processes import SHORT_LEASES, WORKER


@dataclass(frozen=True)
class Scenario:
    """A disturbance, and the service that it disturbs."""

    description: str
    disturb: Callable[[Any, bool], Tolerance]  # called while the issue is sent; the flag means the short form
    readers: tuple[int | None, int | None]  # in the long and the short form; None: the scenario has no such form
    misbehavior: Mapping[str, float] = field(default_factory=dict)  # of the relay, from the start
    options: str = ""  # of the relay's URL
    fake_clock: bool = False  # the workers use a clock that the test can set
    time_passes: bool = False  # the test sets that clock forward instead of waiting for retries
    with_web: bool = False
    workers: tuple[int, int] = (2, 2)  # in the long and the short form
    on_a_small_disk: bool = False  # a single process on SQLite without a relay


def run(name: str, *, seed: int, short: bool, folder: Path, readers: int | None = None) -> Report:
    """Run the scenario of that name and return its report."""
    return run_scenario(SCENARIOS[name], name, seed=seed, short=short, folder=folder, readers=readers)


def run_scenario(
    scenario: Scenario, name: str, *, seed: int, short: bool, folder: Path, readers: int | None = None
) -> Report:
    """Run a scenario and return its report."""
    audience = readers or scenario.readers[short] or scenario.readers[not short]
    assert audience
    with _environment(scenario, folder, audience, seed, short=short) as environment:
        environment.send()
        tolerance = scenario.disturb(environment, short)
        in_time = environment.finish(within=TIMEOUT)
        return evaluate(environment, name, seed, tolerance, in_time=in_time, short=short)


@contextmanager
def _environment(scenario: Scenario, folder: Path, audience: int, seed: int, *, short: bool) -> Iterator[RunningIssue]:
    if scenario.on_a_small_disk:
        with small_disk.running_on_small_disk(folder, audience=audience, seed=seed) as embedded:
            yield embedded
        return
    with running_environment(
        folder,
        audience=audience,
        seed=seed,
        connections=CONNECTIONS,
        options=scenario.options,
        fake_clock=scenario.fake_clock,
        time_passes=scenario.time_passes,
        with_web=scenario.with_web,
        workers=scenario.workers[short],
        worker=SHORT_LEASES if short else WORKER,
    ) as environment:
        environment.relay.misbehave(**scenario.misbehavior)
        yield environment


def evaluate(
    environment: RunningIssue, name: str, seed: int, tolerance: Tolerance, *, in_time: bool, short: bool
) -> Report:
    """Compare database, relay log and doctor at the end, and report everything beyond the tolerance as an error."""
    arrivals = environment.arrivals()
    compared = comparison.compare(environment.owed(), arrivals)
    counts = compared.counts
    limits = {
        DeliveryStatus.FAILED: tolerance.failed,
        DeliveryStatus.UNKNOWN: tolerance.unknown,
        DeliveryStatus.WITHHELD: tolerance.withheld,
    }
    errors = [
        *([] if in_time else [f"{TIMEOUT:g} s after the disturbance the issue was still {environment.status()}"]),
        *([f"{compared.lost} letters are lost"] if compared.lost else []),
        *([f"more than {tolerance.doubled} letters arrived twice"] if compared.doubled > tolerance.doubled else []),
        *(f"{counts[each]} letters are {each}, at most {n} may be" for each, n in limits.items() if counts[each] > n),
        *(
            []
            if counts.total() == environment.audience
            else [f"{counts.total()} deliveries for {environment.audience} readers"]
        ),
        *compared.errors,
        *comparison.late(tolerance.left, arrivals),
        *tolerance.errors,
        *(environment.doctor() if short else environment.doctor_command()),
    ]
    return Report(
        scenario=name,
        seed=seed,
        audience=environment.audience,
        sent=counts[DeliveryStatus.SENT],
        withheld=counts[DeliveryStatus.WITHHELD],
        failed=counts[DeliveryStatus.FAILED],
        cancelled=counts[DeliveryStatus.CANCELLED],
        unknown=counts[DeliveryStatus.UNKNOWN],
        lost=compared.lost,
        doubled=compared.doubled,
        seconds=round((environment.ended or time.monotonic()) - environment.begun, 1),
        may_be_doubled=tolerance.doubled,
        errors=errors,
        notes=tolerance.notes,
    )


DISTANT = {"delay": 0.05}  # a distant relay, so that sending takes a while
WITHOUT_WAITING: dict[str, Any] = {"fake_clock": True, "time_passes": True, "workers": (2, 1)}

SCENARIOS: dict[str, Scenario] = {
    "sigkill": Scenario("random workers get SIGKILL", disturbances.sigkill, (40_000, 1500), DISTANT),
    "sigterm": Scenario("workers get SIGTERM, as in a deployment", disturbances.sigterm, (20_000, 1200), DISTANT),
    "redis-killed": Scenario("Redis is killed and restarts empty", disturbances.redis_killed, (10_000, None), DISTANT),
    "redis-frozen": Scenario("Redis is frozen", disturbances.redis_frozen, (10_000, None), DISTANT),
    "redis-flushed": Scenario("Redis is flushed repeatedly", disturbances.redis_flushed, (10_000, None), DISTANT),
    "redis": Scenario("Redis is flushed, killed and frozen", disturbances.redis_disturbed, (None, 2000), DISTANT),
    "postgresql-restarted": Scenario(
        "PostgreSQL stops immediately and restarts", disturbances.postgresql_restarted, (20_000, None), DISTANT
    ),
    "postgresql-away": Scenario(
        "PostgreSQL is down for a while", disturbances.postgresql_away, (10_000, None), DISTANT
    ),
    "postgresql": Scenario(
        "PostgreSQL restarts, and is down for a while", disturbances.postgresql_disturbed, (None, 1500), DISTANT
    ),
    "relay-away": Scenario(
        "the relay is down for a while", disturbances.relay_away, (10_000, 600), DISTANT, **WITHOUT_WAITING
    ),
    "greylisting": Scenario(
        "the relay greylists every recipient",
        disturbances.no_disturbance,
        (5000, 500),
        {"greylist": 1},
        **WITHOUT_WAITING,
    ),
    "storms": Scenario(
        "the relay replies 421 now and then", disturbances.relay_storms, (10_000, 1000), DISTANT, **WITHOUT_WAITING
    ),
    "refusals": Scenario(
        "the relay refuses 1 in 50 recipients",
        disturbances.refused_recipients,
        (10_000, 1000),
        {"refuse": 0.02},
        workers=(2, 1),
    ),
    "drop-after-dot": Scenario(
        "the relay closes connections after the final dot",
        disturbances.closed_connections,
        (10_000, 500),
        {"drop": 0.01},
        **WITHOUT_WAITING,
    ),
    "one-byte-a-second": Scenario(
        "the relay reads some connections one byte a second",
        disturbances.closed_connections,
        (10_000, 500),
        {"slow": 0.3, "slow_for": 15},
        **WITHOUT_WAITING,
    ),
    "leaving": Scenario(
        "1 in 50 readers unsubscribes", disturbances.unsubscribes_1_in_50, (20_000, 2000), DISTANT, with_web=True
    ),
    "leaving-at-full-speed": Scenario(
        "the same at full speed", disturbances.unsubscribes_1_in_50, (60_000, None), with_web=True
    ),
    "leaving-slowly": Scenario(
        "1 in 10 readers unsubscribes at 14 letters a second",
        disturbances.unsubscribes_1_in_10,
        (1000, 200),
        options="&rate=14",
        with_web=True,
        workers=(2, 1),
    ),
    "clock": Scenario(
        "the workers' clock jumps an hour, both ways",
        disturbances.clock_jumps,
        (10_000, 1500),
        DISTANT,
        fake_clock=True,
    ),
    "poison": Scenario("every worker that sends one letter is killed", disturbances.poison_letter, (2000, None)),
    "disk-full": Scenario("the outbox's disk is full", disturbances.disk_full, (1000, 300), on_a_small_disk=True),
}


def named(*, short: bool) -> list[str]:
    """Return the names of the scenarios that have this form."""
    return [name for name, scenario in SCENARIOS.items() if scenario.readers[short]]
