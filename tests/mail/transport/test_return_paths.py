"""A return path names its delivery, is signed, and survives any case."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.keys import Keyring
from newsletter.mail.transport import return_paths
from tests.clock import NOON

DOMAIN = "bounces.press.example"
KEYRING = Keyring([("k2", "t" * 40), ("K1", "u" * 40), ("k1", "s" * 40)])  # some ids differ in nothing but their case
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-"

deliveries = st.integers(min_value=1, max_value=2**63 - 1)
seconds = st.integers(0, 2**32).map(lambda second: datetime.fromtimestamp(second + 0.5, UTC))
keys = st.sampled_from(sorted(KEYRING))


def made(delivery: int = 7, first_tried_at: datetime = NOON, *, key: str = "k1", ring: Keyring = KEYRING) -> str:
    return return_paths.maker(ring, key=key)(delivery, first_tried_at, DOMAIN)


@given(deliveries, seconds, keys)
def test_it_names_its_delivery_and_means_the_same_whatever_the_way_does_to_its_case(delivery, first_tried_at, key):
    address = made(delivery, first_tried_at, key=key)
    second = int(first_tried_at.timestamp())
    assert re.fullmatch(f"b-{delivery}-{second}-{key.lower()}-[0-9a-f]{{20}}@{re.escape(DOMAIN)}", address)
    assert address == address.lower()


@given(deliveries, seconds, keys)
def test_it_fits_an_envelope(delivery, first_tried_at, key):
    local, at, domain = made(delivery, first_tried_at, key=key).partition("@")
    assert len(local) <= 64
    assert set(local) <= set(ALPHABET)
    assert (at, domain) == ("@", DOMAIN)


def test_the_longest_there_can_be_fits_too():
    ring = Keyring([("K" * 8, "s" * 40)])
    address = made(2**63 - 1, datetime(9999, 12, 31, tzinfo=UTC), key="K" * 8, ring=ring)
    assert len(address.partition("@")[0]) <= 64


def test_whoever_has_another_key_cannot_make_it():
    ring = Keyring([("k1", "v" * 40)])
    assert made(ring=ring).rpartition("-")[0] == made().rpartition("-")[0]
    assert made(ring=ring) != made()


@pytest.mark.parametrize("other", [{"delivery": 8}, {"first_tried_at": NOON + timedelta(seconds=1)}, {"key": "k2"}])
def test_every_delivery_has_its_own_and_always_the_same(other):
    assert made() == made()
    assert made(**other) != made()
