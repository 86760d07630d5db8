"""What happens to the service while an issue leaves, and what may come of it."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from redis import Redis

from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.recording import GROUP_SIZE
from newsletter.mail.pace import throttle
from tests.chaos import comparison, unsubscribes
from tests.chaos.environment import Stand
from tests.chaos.relay_log import HELD, Arrival
from tests.chaos.running_issue import Ground
from tests.chaos.small_disk import Embedded

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


def under_way(stand: Ground, part: float, *, within: float = PATIENCE) -> bool:
    """Return when that part of the letters has arrived, or the time is over; which of both it was."""
    return stand.until(lambda: stand.taken() >= part * stand.audience, within=within)


def sigkill(stand: Stand, short: bool) -> Allowed:
    kills = done = 3 if short else 20
    for number in range(kills):
        goal = stand.taken() + stand.audience // (3 * kills)
        if not stand.until(lambda goal=goal: stand.taken() >= goal and stand.carrying(), within=PATIENCE):
            done = number
            break
        victim = stand.chance.choice(stand.carrying() or stand.workers)
        victim.kill()
        victim.start()
    stand.finish(within=PATIENCE)
    doubled = comparison.judge(stand.owed(), stand.arrivals()).doubled
    errors = () if done == kills else (f"the issue had left after {done} of {kills} kills",)
    return Allowed(
        doubled=done * (CONNECTIONS + 2 * GROUP_SIZE),
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


def redis_troubled(stand: Stand, short: bool) -> Allowed:
    """All three in one issue."""
    under_way(stand, 0.1)
    with Redis.from_url(stand.redis.url) as client:
        client.flushall()
    redis_killed(stand, short)
    under_way(stand, 0.5)
    with stand.redis.frozen():
        time.sleep(6)
    return Allowed()


def postgresql_troubled(stand: Stand, short: bool) -> Allowed:
    """Restarted twice, and away."""
    postgresql_restarted(stand, short)
    return postgresql_away(stand, short)


def postgresql_restarted(stand: Stand, short: bool) -> Allowed:
    for number in range(2 if short else 5):
        under_way(stand, 0.15 * (number + 1))
        stand.postgresql.kill()
        stand.postgresql.start()
    return Allowed()


def postgresql_away(stand: Stand, short: bool) -> Allowed:
    under_way(stand, 0.5)
    stand.postgresql.kill()
    time.sleep(8 if short else 30)
    stand.postgresql.start()
    return Allowed()


def relay_away(stand: Stand, short: bool) -> Allowed:
    under_way(stand, 0.3)
    with stand.relay.in_mood(away=True):
        time.sleep(10 if short else 30)
    return Allowed()


def stormy(stand: Stand, short: bool) -> Allowed:
    """For a while one in 25 connections, MAIL FROMs and final dots is answered with 421: letters leave more slowly.

    In the long form then every fifth, until the relay is left alone for five minutes.
    """
    under_way(stand, 0.2)
    with stand.relay.in_mood(storm=0.04):
        time.sleep(5)
    if not short:
        under_way(stand, 0.5)
        with stand.relay.in_mood(storm=0.2):
            time.sleep(20)
        stand.finish(within=throttle.REST_SECONDS[0] + PATIENCE)
    return Allowed()


def moody(stand: Stand, short: bool) -> Allowed:
    """The relay's mood is all that happens."""
    return Allowed()


def refusing(stand: Stand, short: bool) -> Allowed:
    """1 in 50 recipients does not exist: few enough for the issue to go on. No letter after theirs may go astray."""
    stand.finish(within=PATIENCE)
    refused = {one.recipient for one in stand.arrivals() if one.told == 550}
    failed = {reader for reader, status in stand.owed().items() if status is DeliveryStatus.FAILED}
    errors = () if refused == failed else (f"{len(refused)} readers were refused, {len(failed)} letters failed",)
    return Allowed(failed=len(refused), errors=errors)


def breaking_off(stand: Stand, short: bool) -> Allowed:
    """Connections end in the middle of letters; what was not answered may come twice."""
    stand.finish(within=PATIENCE)
    arrivals = stand.arrivals()
    dropped = sum(one.told == 0 for one in arrivals)
    again = sum(one.told == 0 and stand_again > 1 for one, stand_again in _tries(arrivals))
    taken = sum(one.told == 0 and one.outcome == "taken" for one in arrivals)
    return Allowed(
        doubled=dropped,
        unknown=again,
        notes=(f"{dropped} connections ended without a word, {taken} of them after the letter was taken",),
    )


def _tries(arrivals: Iterable[Arrival]) -> Iterator[tuple[Arrival, int]]:
    """Each arrival that was not answered, with how often its letter had come to that by then."""
    seen: dict[str, int] = {}
    for one in arrivals:
        if one.told == 0:
            seen[one.recipient] = seen.get(one.recipient, 0) + 1
            yield one, seen[one.recipient]


def leaving(stand: Stand, short: bool) -> Allowed:
    return _left(stand, one_in=50)


def leaving_slowly(stand: Stand, short: bool) -> Allowed:
    return _left(stand, one_in=10)


def _left(stand: Stand, *, one_in: int) -> Allowed:
    left = unsubscribes.one_by_one(stand, one_in=one_in)
    stand.finish(within=PATIENCE)
    withheld = sum(status is DeliveryStatus.WITHHELD for status in stand.owed().values())
    errors = () if withheld else ("nobody left in time",)
    return Allowed(withheld=len(left), left=left, notes=(f"{len(left)} readers left",), errors=errors)


def poisoned(stand: Stand, short: bool) -> Allowed:
    """Whoever carries the letter to one reader dies of it, until it is given up."""
    poison, kills = f"reader{stand.audience // 2}@crowd.example", 0
    stand.relay.mood(hold=poison)

    def is_being_carried() -> bool:
        return sum(one.outcome == HELD for one in stand.arrivals()) > kills

    while stand.until(is_being_carried, within=PATIENCE):
        (victim,) = stand.carrying(poison)
        victim.kill()
        victim.start()
        kills += 1
    unknown = {reader for reader, status in stand.owed().items() if status is DeliveryStatus.UNKNOWN}
    errors = () if unknown == {poison} else (f"{len(unknown)} letters were given up",)
    return Allowed(
        doubled=kills * (CONNECTIONS + 2 * GROUP_SIZE), unknown=1, notes=(f"{kills} died of it",), errors=errors
    )


def clock_jumping(stand: Stand, short: bool) -> Allowed:
    """An hour forward and back to what is true, then an hour back and forward again."""
    assert stand.clock
    stood_still = []
    for number, hours in enumerate((1, -1, -1, 1)):
        if not under_way(stand, 0.2 * (number + 1), within=40):
            stood_still.append(f"no letter left any more while the clock was {stand.clock.offset / 3600:+.0f} h wrong")
        stand.clock.jump(hours * 3600)
    return Allowed(errors=tuple(stood_still))


def disk_full(place: Embedded, short: bool) -> Allowed:
    """It has to be said where an operator looks; and with room on the disk, letters go on by themselves."""
    is_said = place.until(lambda: "No space left" in place.told(), within=60)
    full = place.taken()
    place.make_room()
    errors = [
        *([] if is_said else ["`newsletter issues status` does not say that the disk is full"]),
        *([] if 0 < full < place.audience else [f"the disk was not full: {full} letters fitted"]),
    ]
    return Allowed(errors=tuple(errors), notes=(f"{full} letters fitted",))
