"""The disturbances of the scenarios; each returns the deviations that it justifies."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from redis import Redis

from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.recording import GROUP_SIZE
from newsletter.mail.pace import throttle
from tests.chaos import comparison, unsubscribes
from tests.chaos.environment import ChaosEnvironment
from tests.chaos.relay_log import HELD, TAKEN, Arrival
from tests.chaos.running_issue import RunningIssue
from tests.chaos.small_disk import EmbeddedService

CONNECTIONS = 20  # to the relay, for all workers together
TIMEOUT = 180.0  # seconds for an issue to be sent after the disturbance


@dataclass(frozen=True)
class Tolerance:
    """The deviations that a disturbance justifies, and the errors that it found itself."""

    doubled: int = 0
    failed: int = 0
    unknown: int = 0
    withheld: int = 0
    left: Mapping[str, float] = field(default_factory=dict)  # monotonic time of each unsubscribe, by address
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def wait_for_part(environment: RunningIssue, part: float, *, within: float = TIMEOUT) -> bool:
    """Wait until that part of the letters has arrived; return False if the time is over before."""
    return environment.until(lambda: environment.taken() >= part * environment.audience, within=within)


def sigkill(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Kill random workers that hold claimed deliveries."""
    kills = done = 3 if short else 20
    for number in range(kills):
        goal = environment.taken() + environment.audience // (3 * kills)
        if not environment.until(
            lambda goal=goal: environment.taken() >= goal and environment.workers_with_claims(), within=TIMEOUT
        ):
            done = number
            break
        victim = environment.chance.choice(environment.workers_with_claims() or environment.workers)
        victim.kill()
        victim.start()
    environment.finish(within=TIMEOUT)
    doubled = comparison.compare(environment.owed(), environment.arrivals()).doubled
    errors = () if done == kills else (f"the issue was sent after {done} of {kills} kills",)
    return Tolerance(
        doubled=done * (CONNECTIONS + 2 * GROUP_SIZE),
        notes=(f"{done} kills; on average each doubled {doubled / max(1, done):.1f} letters",),
        errors=errors,
    )


def sigterm(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Restart the workers one after the other, as a deployment does."""
    ends = 2 if short else 8
    for number in range(ends):
        wait_for_part(environment, (number + 1) / (ends + 2))
        victim = environment.workers[number % len(environment.workers)]
        victim.terminate()
        victim.wait()
        victim.start()
    return Tolerance()


def redis_killed(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Kill Redis, and start an empty one some seconds later."""
    wait_for_part(environment, 0.2)
    environment.redis.kill()
    time.sleep(3 if short else 10)
    environment.redis.start()
    return Tolerance()


def redis_frozen(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Freeze Redis for ten seconds."""
    wait_for_part(environment, 0.2)
    with environment.redis.frozen():
        time.sleep(10)
    return Tolerance()


def redis_flushed(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Flush Redis again and again."""
    wait_for_part(environment, 0.1)
    with Redis.from_url(environment.redis.url) as client:
        while not environment.is_sent():
            client.flushall()
            time.sleep(0.3)
    return Tolerance()


def redis_disturbed(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Flush, kill and freeze Redis during one issue."""
    wait_for_part(environment, 0.1)
    with Redis.from_url(environment.redis.url) as client:
        client.flushall()
    redis_killed(environment, short)
    wait_for_part(environment, 0.5)
    with environment.redis.frozen():
        time.sleep(6)
    return Tolerance()


def postgresql_disturbed(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Restart PostgreSQL several times, then stop it for a while."""
    postgresql_restarted(environment, short)
    return postgresql_away(environment, short)


def postgresql_restarted(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Stop PostgreSQL immediately and start it again, several times."""
    for number in range(2 if short else 5):
        wait_for_part(environment, 0.15 * (number + 1))
        environment.postgresql.kill()
        environment.postgresql.start()
    return Tolerance()


def postgresql_away(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Stop PostgreSQL for some seconds."""
    wait_for_part(environment, 0.5)
    environment.postgresql.kill()
    time.sleep(8 if short else 30)
    environment.postgresql.start()
    return Tolerance()


def relay_away(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Stop the relay for some seconds."""
    wait_for_part(environment, 0.3)
    with environment.relay.misbehaving(away=True):
        time.sleep(10 if short else 30)
    return Tolerance()


def relay_storms(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Reply 421 to one in 25 connections, MAIL FROMs and final dots for a while, which slows sending down.

    In the long form then to every fifth, until the service leaves the relay alone for five minutes.
    """
    wait_for_part(environment, 0.2)
    with environment.relay.misbehaving(storm=0.04):
        time.sleep(5)
    if not short:
        wait_for_part(environment, 0.5)
        with environment.relay.misbehaving(storm=0.2):
            time.sleep(20)
        environment.finish(within=throttle.REST_SECONDS[0] + TIMEOUT)
    return Tolerance()


def no_disturbance(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Do nothing: the relay's misbehavior is the whole scenario."""
    return Tolerance()


def refused_recipients(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Expect exactly the refused recipients to fail; 1 in 50 is too few to pause the issue."""
    environment.finish(within=TIMEOUT)
    refused = {one.recipient for one in environment.arrivals() if one.reply_code == 550}
    failed = {reader for reader, status in environment.owed().items() if status is DeliveryStatus.FAILED}
    errors = () if refused == failed else (f"{len(refused)} recipients were refused, {len(failed)} letters failed",)
    return Tolerance(failed=len(refused), errors=errors)


def closed_connections(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Tolerate a second arrival of each letter whose connection was closed without a reply."""
    environment.finish(within=TIMEOUT)
    arrivals = environment.arrivals()
    dropped = sum(one.reply_code == 0 for one in arrivals)
    repeated = sum(number > 1 for number in _attempts_without_reply(arrivals))
    accepted = sum(one.reply_code == 0 and one.outcome == TAKEN for one in arrivals)
    return Tolerance(
        doubled=dropped,
        unknown=repeated,
        notes=(f"{dropped} connections closed without a reply, {accepted} of them after the letter was accepted",),
    )


def _attempts_without_reply(arrivals: Iterable[Arrival]) -> Iterator[int]:
    """Number the attempts without a reply of each recipient, from 1."""
    seen: dict[str, int] = {}
    for one in arrivals:
        if one.reply_code == 0:
            seen[one.recipient] = seen.get(one.recipient, 0) + 1
            yield seen[one.recipient]


def unsubscribes_1_in_50(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Let 1 in 50 readers unsubscribe."""
    return _unsubscribes(environment, one_in=50)


def unsubscribes_1_in_10(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Let 1 in 10 readers unsubscribe."""
    return _unsubscribes(environment, one_in=10)


def _unsubscribes(environment: ChaosEnvironment, *, one_in: int) -> Tolerance:
    left = unsubscribes.unsubscribe(environment, one_in=one_in)
    environment.finish(within=TIMEOUT)
    withheld = sum(status is DeliveryStatus.WITHHELD for status in environment.owed().values())
    errors = () if withheld else ("no delivery was withheld",)
    return Tolerance(withheld=len(left), left=left, notes=(f"{len(left)} readers unsubscribed",), errors=errors)


def poison_letter(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Kill every worker that sends the letter to one reader, until its status is unknown."""
    poison, kills = f"reader{environment.audience // 2}@crowd.example", 0
    environment.relay.misbehave(hold=poison)

    def is_being_sent() -> bool:
        return sum(one.outcome == HELD for one in environment.arrivals()) > kills

    while environment.until(is_being_sent, within=TIMEOUT):
        (victim,) = environment.workers_with_claims(poison)
        victim.kill()
        victim.start()
        kills += 1
    unknown = {reader for reader, status in environment.owed().items() if status is DeliveryStatus.UNKNOWN}
    errors = () if unknown == {poison} else (f"{len(unknown)} letters have the status unknown",)
    notes = (f"{kills} workers were killed",)
    return Tolerance(doubled=kills * (CONNECTIONS + 2 * GROUP_SIZE), unknown=1, notes=notes, errors=errors)


def clock_jumps(environment: ChaosEnvironment, short: bool) -> Tolerance:
    """Set the clock an hour forward and back to the true time, then an hour back and forward again."""
    assert environment.clock
    stalls = []
    for number, hours in enumerate((1, -1, -1, 1)):
        if not wait_for_part(environment, 0.2 * (number + 1), within=40):
            stalls.append(f"sending stalled while the clock was {environment.clock.offset / 3600:+.0f} h off")
        environment.clock.jump(hours * 3600)
    return Tolerance(errors=tuple(stalls))


def disk_full(service: EmbeddedService, short: bool) -> Tolerance:
    """Expect `issues status` to show that the disk is full, and sending to go on once there is room."""
    is_shown = service.until(lambda: "No space left" in service.status_output(), within=60)
    fitted = service.taken()
    service.make_room()
    errors = [
        *([] if is_shown else ["`newsletter issues status` does not show that the disk is full"]),
        *([] if 0 < fitted < service.audience else [f"the disk was not full: {fitted} letters fitted"]),
    ]
    return Tolerance(errors=tuple(errors), notes=(f"{fitted} letters fitted",))
