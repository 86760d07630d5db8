"""A return path names its delivery to whoever has the keys, in any case, and to nobody else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.keys import Keyring
from newsletter.mail.transport import return_paths
from newsletter.mail.transport.return_paths import Returned
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
def test_it_reads_back_whatever_the_way_does_to_its_case(delivery, first_tried_at, key):
    expected = Returned(delivery, first_tried_at.replace(microsecond=0))
    address = made(delivery, first_tried_at, key=key)
    for spelling in (address, address.lower(), address.upper(), address.title(), address.swapcase()):
        assert return_paths.read(KEYRING, spelling) == expected


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
    assert return_paths.read(ring, address) == Returned(2**63 - 1, datetime(9999, 12, 31, tzinfo=UTC))


@given(deliveries, keys, st.data())
def test_another_character_anywhere_and_it_is_nobodys(delivery, key, data):
    local = made(delivery, key=key).partition("@")[0]
    place = data.draw(st.integers(0, len(local) - 1))
    other = data.draw(st.sampled_from(ALPHABET).filter(lambda character: character != local[place]))
    assert return_paths.read(KEYRING, f"{local[:place]}{other}{local[place + 1 :]}@{DOMAIN}") is None


@given(deliveries, st.data())
def test_a_character_less_or_more_and_it_is_nobodys(delivery, data):
    local = made(delivery).partition("@")[0]
    place = data.draw(st.integers(0, len(local) - 1))
    assert return_paths.read(KEYRING, f"{local[:place]}{local[place + 1 :]}@{DOMAIN}") is None
    assert return_paths.read(KEYRING, f"{local[:place]}0{local[place:]}@{DOMAIN}") is None


@given(st.text(max_size=80) | st.from_regex(r"\Ab-[0-9]{1,19}-[0-9]{1,12}-k1-[0-9a-f]{20}@x\Z"))
def test_whatever_else_a_bounce_is_sent_to_is_nobodys(recipient):
    assert return_paths.read(KEYRING, recipient) is None


def test_it_survives_new_keys_and_ends_with_its_own():
    old = Keyring([("k1", "s" * 40)])
    address = made(ring=old)
    assert return_paths.read(KEYRING, address) == return_paths.read(old, address) == Returned(7, NOON)
    assert return_paths.read(Keyring([("k2", "t" * 40)]), address) is None
    assert return_paths.read(Keyring([("k1", "v" * 40)]), address) is None


@pytest.mark.parametrize("other", [{"delivery": 8}, {"first_tried_at": NOON + timedelta(seconds=1)}, {"key": "k2"}])
def test_every_delivery_has_its_own_and_always_the_same(other):
    assert made() == made()
    assert made(**other) != made()
