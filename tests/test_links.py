"""Links: signed, bound to a purpose, short, and good for as long as their key is known."""

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from newsletter.errors import LinkUnreadable
from newsletter.keys import Keyring, raw, text
from newsletter.links import PATHS, Links, Purpose

NEW, OLD = ("k2", "n" * 40), ("k1", "o" * 40)
BASE = "https://letters.example.org"
LINKS = Links(Keyring([NEW, OLD]), BASE)

ids = st.lists(st.integers(min_value=0, max_value=2**63 - 1), min_size=1, max_size=4)
purposes = st.sampled_from(Purpose)


def unreadable(links: Links, token: str, purpose: Purpose) -> bool:
    with pytest.raises(LinkUnreadable):
        links.read(token, purpose)
    return True


@given(purposes, ids, st.sampled_from(["k1", "k2"]))
def test_what_is_made_can_be_read(purpose, numbers, key):
    assert LINKS.read(LINKS.token(purpose, *numbers, key=key), purpose) == tuple(numbers)


@given(purposes, ids)
def test_the_same_ids_are_the_same_token_and_the_address_leads_to_its_page(purpose, numbers):
    token = LINKS.token(purpose, *numbers)
    assert LINKS.token(purpose, *numbers, key="k2") == token
    assert LINKS.url(purpose, *numbers) == f"{BASE}/{PATHS[purpose]}/{token}"
    assert quote(token, safe="") == token


@given(purposes, ids, st.data())
def test_no_changed_bit_reads(purpose, numbers, data):
    key, _, rest = LINKS.token(purpose, *numbers).partition(".")
    signed = bytearray(raw(rest))
    bit = data.draw(st.integers(0, len(signed) * 8 - 1))
    signed[bit // 8] ^= 1 << bit % 8
    assert unreadable(LINKS, f"{key}.{text(bytes(signed))}", purpose)


@given(purposes, ids, st.data())
def test_no_changed_character_reads(purpose, numbers, data):
    token = LINKS.token(purpose, *numbers)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("abcXYZ019-_.=é \x00\ud800"))
    assume(token[place] != other)
    assert unreadable(LINKS, token[:place] + other + token[place + 1 :], purpose)


@given(purposes, ids, st.data())
def test_no_piece_of_a_token_reads_nor_one_with_more(purpose, numbers, data):
    token = LINKS.token(purpose, *numbers)
    assert unreadable(LINKS, token[: data.draw(st.integers(0, len(token) - 1))], purpose)
    assert unreadable(LINKS, token[data.draw(st.integers(1, len(token))) :], purpose)
    assert unreadable(LINKS, token + data.draw(st.sampled_from(["A", "=", "AAAA", " ", "\n", "%", "."])), purpose)


@given(purposes, purposes, ids)
def test_no_link_does_for_another_purpose(made, used, numbers):
    assume(made != used)
    assert unreadable(LINKS, LINKS.token(made, *numbers), used)


@given(purposes, ids)
def test_no_link_of_another_key_reads_even_under_our_keys_name(purpose, numbers):
    foreign = Links(Keyring([("k2", "x" * 40), ("k3", "n" * 40)]), BASE)
    assert unreadable(LINKS, foreign.token(purpose, *numbers, key="k2"), purpose)
    assert unreadable(LINKS, foreign.token(purpose, *numbers, key="k3"), purpose)
    renamed = foreign.token(purpose, *numbers, key="k2").replace("k2.", "k1.")
    assert unreadable(LINKS, renamed, purpose)


@given(st.text())
def test_nothing_that_somebody_types_reads_or_breaks(token):
    for purpose in Purpose:
        assert unreadable(LINKS, token, purpose)
        assert unreadable(LINKS, f"k2.{token}", purpose)


@given(purposes, ids)
def test_a_link_lives_as_long_as_its_key_is_in_the_ring(purpose, numbers):
    before, rotated, after = (Links(Keyring(keys), BASE) for keys in ([OLD], [NEW, OLD], [NEW]))
    token = before.token(purpose, *numbers)
    assert rotated.read(token, purpose) == tuple(numbers)
    assert rotated.token(purpose, *numbers) != token
    assert rotated.token(purpose, *numbers, key="k1") == token, "a repeated letter is the same bytes"
    assert unreadable(after, token, purpose)


@given(st.integers(1, 10**6), st.integers(1, 100), st.integers(1, 10**6), st.integers(0, 2**63 - 1))
def test_what_stands_in_a_header_is_never_folded(subscriber, newsletter, signup, nonce):
    assert len(BASE) == 27
    assert len(LINKS.url(Purpose.UNSUBSCRIBE, subscriber, newsletter)) < 70
    assert len(LINKS.url(Purpose.PREFERENCES, subscriber)) < 70
    for purpose in (Purpose.CONFIRM, Purpose.NEVER):  # in the body only: one line of quoted-printable, or two
        assert len(LINKS.url(purpose, signup, nonce)) < 80


def test_a_token_tells_no_address_and_no_more_than_its_numbers():
    token = LINKS.token(Purpose.UNSUBSCRIBE, 300, 2)
    assert raw(token.removeprefix("k2."))[:-16] == b"\xac\x02\x02"


def test_every_purpose_has_a_page_of_its_own():
    assert len(set(PATHS.values())) == len(Purpose) == len(PATHS)
