"""The queue of sign-ups: networks take turns, at a cost that does not grow with the queue."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups import signup_queue
from newsletter.consent.signups.signups import Signup, SignupState
from tests import query_plans
from tests.builders import a_newsletter, a_signup
from tests.clock import NOON
from tests.statements import executed


def claim(session, *, limit=200, after=None, now=NOON) -> list[str]:
    rows = signup_queue.claim(session, limit=limit, after=after, now=now)
    return [row.address.partition("@")[0] for row in rows]


def fill(session, **networks: int) -> None:
    """Insert so many sign-ups of each network; `a1` is the first of network `a`."""
    a_signup(session, a_newsletter(session), "template@example.org", state=SignupState.QUIET)
    for network, number in networks.items():
        more(session, number, network=network)


def more(session, number: int, *, network: str) -> None:
    template = session.scalars(select(Signup).where(Signup.state == SignupState.QUIET)).one()
    columns = {column.key: getattr(template, column.key) for column in Signup.__table__.columns if column.key != "id"}
    columns |= {"network_key": network, "state": SignupState.RECEIVED}
    rows = [{**columns, "address": f"{network}{n}@example.org"} for n in range(1, number + 1)]
    if rows:
        session.execute(insert(Signup), rows)


def test_networks_take_turns_and_each_s_oldest_comes_first(begin):
    with begin() as session:
        fill(session, a=5, b=2, c=1)
        assert claim(session) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4", "a5"]


def test_a_limit_holds_and_a_flood_leaves_room_for_all_others(begin):
    with begin() as session:
        fill(session, flood=500, x=1, y=1)
        assert claim(session, limit=10) == ["flood1", "x1", "y1", *(f"flood{n}" for n in range(2, 9))]


def test_a_claim_is_full_if_enough_sign_ups_wait_however_they_are_spread(begin):
    with begin() as session:
        fill(session, a=1, b=2, c=4, d=8, e=16, f=32, g=64, h=128)
        for limit in (1, 7, 50, 100, 200):
            assert len(claim(session, limit=limit)) == limit


def test_the_turn_goes_round_from_the_network_served_last(begin):
    with begin() as session:
        fill(session, a=9, b=9, c=9)
        assert claim(session, limit=2) == ["a1", "b1"]
        assert claim(session, limit=2, after="b") == ["c1", "a1"]
        assert claim(session, limit=2, after="bb") == ["c1", "a1"]
        assert claim(session, limit=2, after="z") == ["a1", "b1"]


def test_unknown_networks_are_one_network(begin):
    with begin() as session:
        fill(session, **{"": 3, "a": 2})
        assert claim(session, limit=3) == ["1", "a1", "2"]
        assert claim(session, limit=2, after="") == ["a1", "1"]


def test_nothing_waits_in_an_empty_queue(begin):
    with begin() as session:
        assert claim(session, after="a") == []


def test_only_received_sign_ups_of_the_last_72_hours_wait(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for state in SignupState:
            a_signup(session, newsletter, f"{state}@example.org", state=state)
        a_signup(session, newsletter, "late@example.org", received_at=NOON - LINK_LIFETIME)
        a_signup(session, newsletter, "future@example.org", received_at=NOON + timedelta(seconds=1))
        assert claim(session) == ["received"]


def test_two_workers_never_get_the_same_sign_up(postgresql_database):
    begin = postgresql_database.writing
    with begin() as session:
        fill(session, a=3, b=3)
    with begin() as one, begin() as other:
        assert claim(one, limit=4) == ["a1", "b1", "a2", "b2"]
        assert claim(other, limit=4) == ["a3", "b3"]
    with begin() as session:
        assert len(claim(session)) == 6


def test_a_claim_takes_the_same_few_statements_however_long_the_queue_is(database, begin):
    with begin() as session:
        fill(session, **{f"n{number}": 1 for number in range(300)}, flood=1000)
    with executed(database) as statements, begin() as session:
        assert len(claim(session)) == 200
    assert len(statements) <= 6


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [["z"], [f"n{number}" for number in range(50)]])
def test_a_claim_reads_only_what_it_takes_however_long_the_queue_is(postgresql_database, elsewhere):
    begin = postgresql_database.writing
    read = []
    with begin() as session:
        fill(session, flood=1000, **dict.fromkeys(elsewhere, 3))
    for further in (0, 20_000):
        with begin() as session:
            more(session, further, network="flood")
            session.execute(text("ANALYZE signups"))
        with begin() as session:
            before = query_plans.rows_read(session, "signups")
            assert len(claim(session)) == 200
            read.append(query_plans.rows_read(session, "signups") - before)
            session.rollback()
    assert read[1] <= read[0] * 1.1 <= 1000


def test_sqlite_finds_networks_and_their_sign_ups_by_the_index(sqlite_database):
    with sqlite_database.writing() as session:
        fill(session, a=2)
        for plan in query_plans.sqlite_plans(session, lambda: claim(session, after="a")):
            assert "SCAN signups" not in plan
            assert "ix_signups_received_by_network" in plan


def test_a_claim_leaves_the_planner_as_the_operator_has_set_it(postgresql_database):
    begin = postgresql_database.writing
    with begin() as session:
        name = session.scalar(text("SELECT current_database()"))
        session.execute(text(f'ALTER DATABASE "{name}" SET jit = off'))
        fill(session, a=1)
    postgresql_database.close()  # so that the next connection begins with that setting
    with begin() as session:
        assert len(claim(session)) == 1
        assert session.scalar(text("SHOW jit")) == "off"
        assert session.scalar(text("SHOW enable_sort")) == "on"
