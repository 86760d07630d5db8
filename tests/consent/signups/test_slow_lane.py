"""The slow lane: a letter over a limit waits for its turn, and lapses after a day."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text

from newsletter.consent.limits import networks, pressure
from newsletter.consent.limits.pressure import LAPSED, LetterLimits
from newsletter.consent.signups import slow_lane
from newsletter.consent.signups.signups import SLOW_LANE_LIFETIME, Signup, SignupState
from tests import query_plans
from tests.builders import KEYRING, a_newsletter, a_signup
from tests.clock import NOON
from tests.statements import executed

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LIMITS = LetterLimits(host=2, network=4, domain=6, overall=100)


@pytest.fixture
def newsletter(begin):
    with begin() as session:
        return a_newsletter(session)


def slow(session, newsletter, name, *, ip="198.51.100.1", domain="example.org", received_at=NOON):
    """Add a sign-up that waits in the lane since it was received."""
    return a_signup(
        session,
        newsletter,
        f"{name}@{domain}",
        state=SignupState.QUIET,
        evidence={"ip": ip},
        network_key=networks.keys(KEYRING, ip).network or "",
        received_at=received_at,
        slow_lane_at=received_at,
        forget_at=received_at + SLOW_LANE_LIFETIME,
    )


def owe(session, *, ip=None, domain="elsewhere.example", number=1, now=NOON):
    letter = pressure.letter_keys(KEYRING, ip=ip, address_key=f"a@{domain}")
    room = pressure.room(session, [letter], LetterLimits(*[10**6] * 4), now=now)
    assert all(room.take(letter) for _ in range(number))
    room.write(session)


def turn(session, *, now, after=None, limit=200, limits=LIMITS):
    return slow_lane.claim(session, keyring=KEYRING, limits=limits, limit=limit, after=after, now=now)


def names(turn) -> list[str]:
    return [row.address.partition("@")[0] for row in turn.rows]


def line(session) -> list[str]:
    """Return who waits, in the order of the lane."""
    waiting = select(Signup.address).where(Signup.slow_lane_at.is_not(None)).order_by(Signup.slow_lane_at, Signup.id)
    return [address.partition("@")[0] for address in session.scalars(waiting)]


@pytest.mark.parametrize(
    ("owed", "sign_up"),
    [
        ({"ip": "198.51.100.1", "number": 2}, {"ip": "198.51.100.1"}),
        ({"ip": "198.51.100.9", "number": 4}, {"ip": "198.51.100.1"}),
        ({"domain": "example.org", "number": 6}, {"ip": "203.0.113.1"}),
        ({"number": 100}, {"ip": "203.0.113.1"}),
        ({"number": 100}, {"ip": "10.0.0.1"}),
    ],
)
def test_a_sign_up_waits_while_any_limit_is_reached_and_then_has_its_turn(begin, newsletter, owed, sign_up):
    with begin() as session:
        owe(session, **owed)
        slow(session, newsletter, "ana", **sign_up)
    with begin() as session:
        for minutes in (2, 30, 59):
            assert names(turn(session, now=NOON + minutes * MINUTE)) == []
        assert names(turn(session, now=NOON + 72 * MINUTE)) == ["ana"]


def test_no_more_have_their_turn_than_fit(begin, newsletter):
    with begin() as session:
        for number in range(9):
            slow(session, newsletter, f"v{number}", ip=f"198.51.100.{number}")
        assert names(turn(session, now=NOON + HOUR)) == ["v0", "v1", "v2", "v3"]


def test_networks_take_turns(begin, newsletter):
    with begin() as session:
        for number in range(6):
            slow(session, newsletter, f"flood{number}", ip=f"198.51.100.{number}")
        slow(session, newsletter, "ana", ip="203.0.113.1")
        assert "ana" in names(turn(session, now=NOON + HOUR))[:2]


def test_a_look_in_vain_moves_a_sign_up_to_the_end_of_its_line_so_that_the_others_have_their_turn(begin, newsletter):
    with begin() as session:
        owe(session, domain="full.example", number=6, now=NOON + HOUR)
        slow(session, newsletter, "first", domain="full.example")
        slow(session, newsletter, "second", domain="free.example")
        assert names(turn(session, now=NOON + HOUR, limit=1)) == []
        assert line(session) == ["second", "first"]
        assert names(turn(session, now=NOON + HOUR, limit=1)) == ["second"]


def test_no_sign_up_is_looked_at_twice_within_a_minute(begin, newsletter, database):
    with begin() as session:
        owe(session, domain="example.org", number=6, now=NOON + HOUR)
        slow(session, newsletter, "ana")
    with begin() as session:
        turn(session, now=NOON + HOUR)
    with executed(database) as statements, begin() as session:
        turn(session, now=NOON + HOUR + timedelta(seconds=59))
    assert not [statement for statement in statements if statement.startswith("UPDATE")]


def test_the_turn_goes_round_also_past_networks_at_their_limit(begin, newsletter):
    ips = [f"198.51.{number}.1" for number in range(4)]
    with begin() as session:
        for number, ip in enumerate(ips):
            slow(session, newsletter, f"v{number}", ip=ip, domain=f"{number}.example")
            owe(session, ip=ip, number=LIMITS.network, now=NOON + HOUR)
        slow(session, newsletter, "ana", ip="203.0.113.1", domain="free.example")
        after, seen = None, []
        for _ in range(5):
            found = turn(session, now=NOON + HOUR, after=after, limit=1)
            after, seen = found.after, seen + names(found)
        assert seen == ["ana"]


def test_a_sign_up_without_a_turn_lapses_after_24_hours(begin, newsletter):
    late = NOON + timedelta(hours=24)
    with begin() as session:
        slow(session, newsletter, "ana")
        slow(session, newsletter, "berta", received_at=NOON + MINUTE)
        assert slow_lane.lapse(session, now=late - timedelta(seconds=1)) == 0
        assert slow_lane.lapse(session, now=late) == 1
        assert line(session) == ["berta"]
        assert pressure.count(session, [LAPSED], now=late)[LAPSED] == 1
        ana = session.scalars(select(Signup).where(Signup.address_key == "ana@example.org")).one()
        assert (ana.state, ana.forget_at) == (SignupState.QUIET, late)


def test_one_that_is_about_to_lapse_has_no_turn_any_more(begin, newsletter):
    with begin() as session:
        slow(session, newsletter, "ana")
        assert names(turn(session, now=NOON + timedelta(hours=24))) == []


def test_the_lane_tells_how_many_wait_and_since_when(begin, newsletter):
    with begin() as session:
        assert not slow_lane.is_open(session)
        assert slow_lane.waiting(session) == (0, None)
        slow(session, newsletter, "ana")
        slow(session, newsletter, "berta", received_at=NOON + MINUTE)
        assert slow_lane.is_open(session)
        assert slow_lane.waiting(session) == (2, NOON)


def test_two_workers_never_have_the_same_sign_up(postgresql_database):
    begin = postgresql_database.writing
    with begin() as session:
        newsletter = a_newsletter(session)
        for number in range(4):
            slow(session, newsletter, f"v{number}", ip=f"198.51.{number}.1")
    with begin() as one, begin() as other:
        assert len(turn(one, now=NOON + HOUR).rows) == 4
        assert names(turn(other, now=NOON + HOUR)) == []


@pytest.mark.slow
@pytest.mark.parametrize("are_statistics_new", [True, False])
@pytest.mark.parametrize("reached", [{"ip": "198.51.100.1", "number": 4}, {"domain": "example.org", "number": 6}, {}])
def test_a_look_reads_few_rows_however_long_the_lane_is(postgresql_database, reached, are_statistics_new):
    begin, read = postgresql_database.writing, []
    with begin() as session:
        newsletter = a_newsletter(session)
        template = slow(session, newsletter, "template")
        columns = {each.key: getattr(template, each.key) for each in Signup.__table__.columns if each.key != "id"}
        owe(session, **{"number": LIMITS.overall, **reached}, now=NOON + HOUR)
    for number in (1_000, 20_000):
        with begin() as session:
            session.execute(insert(Signup), [columns] * number)
            if are_statistics_new:
                session.execute(text("ANALYZE signups"))
        with begin() as session:
            before = query_plans.rows_read(session, "signups")
            assert names(turn(session, now=NOON + HOUR)) == []
            read.append(query_plans.rows_read(session, "signups") - before)
            session.rollback()
    assert read[1] <= read[0] * 1.1 <= 1500


def test_sqlite_finds_the_lane_by_its_index(sqlite_database):
    with sqlite_database.writing() as session:
        slow(session, a_newsletter(session), "ana")
        plans = query_plans.sqlite_plans(session, lambda: turn(session, now=NOON + HOUR))
        assert any("ix_signups_slow_lane" in plan for plan in plans)
        assert not [plan for plan in plans if "SCAN signups" in plan]
