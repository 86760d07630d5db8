"""A return path names its delivery, is signed, and does not depend on case."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.keys import Keyring
from newsletter.mail.transport import return_paths
from tests.clock import NOON

DOMAIN = "bounces.press.example"
KEYRING = Keyring([("k2", "t" * 40), ("K1", "u" * 40), ("k1", "s" * 40)])  # some ids differ only in case
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-"

deliveries = st.integers(min_value=1, max_value=2**63 - 1)
seconds = st.integers(0, 2**32).map(lambda second: datetime.fromtimestamp(second + 0.5, UTC))
keys = st.sampled_from(sorted(KEYRING))


def return_path(
    delivery: int = 7, first_tried_at: datetime = NOON, *, key: str = "k1", keyring: Keyring = KEYRING
) -> str:
    return return_paths.maker(keyring, key=key)(delivery, first_tried_at, DOMAIN)


@given(deliveries, seconds, keys)
def test_a_return_path_names_its_delivery_and_is_all_lower_case(delivery, first_tried_at, key):
    address = return_path(delivery, first_tried_at, key=key)
    second = int(first_tried_at.timestamp())
    assert re.fullmatch(f"b-{delivery}-{second}-{key.lower()}-[0-9a-f]{{20}}@{re.escape(DOMAIN)}", address)
    assert address == address.lower()


@given(deliveries, seconds, keys)
def test_a_return_path_fits_an_envelope(delivery, first_tried_at, key):
    local, at, domain = return_path(delivery, first_tried_at, key=key).partition("@")
    assert len(local) <= 64
    assert set(local) <= set(ALPHABET)
    assert (at, domain) == ("@", DOMAIN)


def test_the_longest_possible_return_path_fits_an_envelope():
    keyring = Keyring([("K" * 8, "s" * 40)])
    address = return_path(2**63 - 1, datetime(9999, 12, 31, tzinfo=UTC), key="K" * 8, keyring=keyring)
    assert len(address.partition("@")[0]) <= 64


def test_another_key_gives_another_return_path():
    keyring = Keyring([("k1", "v" * 40)])
    assert return_path(keyring=keyring).rpartition("-")[0] == return_path().rpartition("-")[0]
    assert return_path(keyring=keyring) != return_path()


@pytest.mark.parametrize("other", [{"delivery": 8}, {"first_tried_at": NOON + timedelta(seconds=1)}, {"key": "k2"}])
def test_every_delivery_has_its_own_return_path_and_always_the_same(other):
    assert return_path() == return_path()
    assert return_path(**other) != return_path()
