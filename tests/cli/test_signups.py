"""newsletter signups pressure."""

import json
from datetime import timedelta

from newsletter import clock
from newsletter.consent.limits import networks, pressure, proof_of_work, used_solutions
from newsletter.consent.limits.form_signs import Doubt
from newsletter.consent.limits.pressure import LetterLimits
from newsletter.consent.limits.proof_of_work import Proof
from newsletter.consent.signups.signups import SLOW_LANE_LIFETIME, SignupState
from newsletter.settings import Settings
from tests.builders import KEYRING, a_signup
from tests.builders import a_newsletter as with_wording

LIMITS = LetterLimits(*Settings().confirmation_limits)


def flood(database) -> None:
    """Ten letters were owed to one client, and three sign-ups of its network and one of an unknown one wait."""
    now = clock.now()
    with database.writing() as session:
        letter = pressure.letter_keys(KEYRING, ip="198.51.100.1", address_key="ana@press.example")
        room = pressure.room(session, [letter], LIMITS, now=now)
        assert sum(room.take(letter) for _ in range(20)) == LIMITS.host
        room.write(session)
        newsletter = with_wording(session, "flooded")
        used_solutions.use(session, [Proof("x", now + proof_of_work.LIFETIME)])
        for ip in ("198.51.100.7", "198.51.100.8", "198.51.100.9", "10.0.0.1"):
            a_signup(
                session,
                newsletter,
                state=SignupState.QUIET,
                evidence={"ip": ip},
                network_key=networks.keys(KEYRING, ip).network or "",
                received_at=now - timedelta(hours=1),
                slow_lane_at=now,
                doubt=Doubt.TRAP if ip == "10.0.0.1" else None,
                forget_at=now + SLOW_LANE_LIFETIME,
            )


def test_a_quiet_service_has_no_pressure(newsletter):
    told = json.loads(newsletter("signups", "pressure", "--json").stdout)
    assert told["letters"] == {"last_hour": 0, "limit": 20_000}
    assert told["at_limit"] == {"host": 0, "network": 0, "domain": 0}
    assert told["slow_lane"] == {"signups": 0, "since": None, "doubted": 0, "lapsed_last_hour": 0}
    assert told["proofs_of_work_last_hour"] == 0
    assert told["longest_lines"] == []


def test_the_limits_that_are_reached_and_those_who_wait_are_told(database, newsletter):
    flood(database)
    told = json.loads(newsletter("signups", "pressure", "--json").stdout)
    assert told["letters"]["last_hour"] == 10
    assert told["at_limit"] == {"host": 1, "network": 0, "domain": 0}
    assert (told["slow_lane"]["signups"], told["slow_lane"]["doubted"]) == (4, 1)
    assert told["proofs_of_work_last_hour"] == 1
    assert told["longest_lines"] == [
        {"network": "198.51.100.0/24", "signups": 3},
        {"network": "unknown or private", "signups": 1},
    ]
    text = newsletter("signups", "pressure").stdout
    assert "10 of 20,000" in text
    assert "198.51.100.0/24" in text
    assert "press.example" not in text
