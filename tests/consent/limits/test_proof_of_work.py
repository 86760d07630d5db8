"""A challenge is solved by trying numbers; only a right, timely solution of our own challenge proves work."""

import base64
import json
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from altcha import Challenge, Payload, create_challenge, solve_challenge
from hypothesis import given
from hypothesis import strategies as st

from newsletter.consent.limits import proof_of_work
from newsletter.keys import Keyring
from tests.builders import KEYRING
from tests.clock import NOON


def solved(challenge: Challenge) -> str:
    """Return what the widget posts."""
    solution = solve_challenge(challenge)
    assert solution
    return Payload(challenge, solution).to_base64()


@cache
def a_solution() -> str:
    return solved(proof_of_work.challenge(KEYRING, now=NOON, number=7))


def changed(solution: str, **parameters: Any) -> str:
    """Return a solution whose challenge says something else."""
    payload = json.loads(base64.b64decode(solution))
    payload["challenge"]["parameters"] |= parameters
    return base64.b64encode(json.dumps(payload).encode()).decode()


def proves(solution: str, *, keyring: Keyring = KEYRING, after: timedelta = timedelta(0)) -> bool:
    return proof_of_work.check(keyring, solution, posted_at=NOON + after) is not None


def test_a_solution_proves_work_for_an_hour_also_after_a_new_key():
    assert proof_of_work.SHAPE.fullmatch(a_solution())
    assert proves(a_solution(), after=timedelta(minutes=59))
    assert not proves(a_solution(), after=timedelta(hours=1))
    rotated = Keyring([("k2", "t" * 40), ("k1", "s" * 40)])
    assert proves(a_solution(), keyring=rotated)
    assert not proves(a_solution(), keyring=Keyring([("k2", "t" * 40)]))


@pytest.mark.parametrize(
    "parameters",
    [
        {"cost": 1},
        {"keyPrefix": "00"},
        {"data": {"until": 2**31}},
        {"data": None},
        {"expiresAt": 2**31},
        {"keySignature": None},
        {"algorithm": "SHA-256"},
        {"nonce": "0" * 32},
    ],
)
def test_a_changed_challenge_proves_nothing(parameters):
    assert not proves(changed(a_solution(), **parameters))


def test_an_easier_challenge_proves_nothing_even_if_it_is_solved():
    easy = create_challenge("SHA-256", 1, key_prefix="00", hmac_secret="of somebody else")
    assert not proves(solved(easy))


def test_a_wrong_key_proves_nothing():
    payload = json.loads(base64.b64decode(a_solution()))
    payload["solution"]["derivedKey"] = "0" * 64
    assert not proves(base64.b64encode(json.dumps(payload).encode()).decode())


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner, max_size=2),
    max_leaves=5,
)
like_ours = st.fixed_dictionaries(
    {
        "challenge": st.fixed_dictionaries(
            {
                "parameters": st.fixed_dictionaries(
                    dict.fromkeys(("algorithm", "nonce", "salt", "cost", "keySignature", "data"), json_values)
                ),
                "signature": json_values,
            }
        ),
        "solution": st.fixed_dictionaries({"counter": json_values, "derivedKey": json_values}),
    }
)


@given(
    st.text() | st.builds(lambda value: base64.b64encode(json.dumps(value).encode()).decode(), json_values | like_ours)
)
def test_whatever_is_posted_is_checked_without_an_error(posted):
    assert not proves(posted)
