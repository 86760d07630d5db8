"""The part of a confirmation link that holds its sign-up: encrypted, bound to its link, the same bytes every time."""

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.consent.signups import renewals
from newsletter.consent.signups.renewals import FormerSignup
from newsletter.encryption import Cipher
from newsletter.errors import LinkUnreadable
from newsletter.keys import Keyring, from_base64url, to_base64url
from newsletter.links import Links, Purpose
from tests.clock import NOON

NEW, OLD = ("k2", "n" * 40), ("k1", "o" * 40)
KEYRING = Keyring([NEW, OLD])
ANA = FormerSignup("ana@example.org", (3,), "de", NOON)

signups = st.builds(
    FormerSignup,
    address=st.emails() | st.sampled_from(["zoë@bücher.example", f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example.org"]),
    newsletters=st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=5).map(tuple),
    language=st.none() | st.sampled_from(["de", "pt-BR", "zh-Hant-TW"]),
    received_at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware here
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
    entered=st.just({}),
)
ids = st.tuples(st.integers(1, 2**63 - 1), st.integers(0, 2**63 - 1))


def token_of(numbers: tuple[int, ...] = (7, 9), *, key: str = "k2", keyring: Keyring = KEYRING) -> str:
    return Links(keyring, "").token(Purpose.CONFIRM, *numbers, key=key)


def written(signup: FormerSignup = ANA, numbers: tuple[int, ...] = (7, 9), *, key: str = "k2") -> str:
    """Return a token with its part."""
    token = token_of(numbers, key=key)
    return f"{token}.{renewals.part_maker(KEYRING, key=key)(token.encode(), signup).decode()}"


def read(text: str, keyring: Keyring = KEYRING) -> FormerSignup | None:
    return renewals.read(keyring, Links(keyring, "").read_with_rest(text, Purpose.CONFIRM))


@given(signups, ids, st.sampled_from(["k1", "k2"]))
def test_a_part_is_the_same_every_time_and_holds_the_sign_up(signup, numbers, key):
    text = written(signup, numbers, key=key)
    assert written(signup, numbers, key=key) == text
    assert read(text) == signup
    assert quote(text, safe="") == text
    assert len(text) < 600


@given(signups, ids)
def test_the_release_before_reads_the_token_alone(signup, numbers):
    """It looked for a token by this pattern, and ignored what follows."""
    key, encoded = re.match(r"[^A-Za-z0-9]*([A-Za-z0-9]+)\.([A-Za-z0-9_-]+)", written(signup, numbers)).groups()
    assert f"{key}.{encoded}" == token_of(numbers)
    assert read(token_of(numbers)) is None


def test_a_part_opens_with_its_own_token_only():
    other = token_of((8, 9))
    part = written().rpartition(".")[2]
    assert read(f"{other}.{part}") is None
    assert read(f"{token_of(key='k1')}.{part}") is None


@given(st.data())
def test_a_forged_or_shortened_part_is_none(data):
    token, _, part = written().rpartition(".")
    changed = bytearray(from_base64url(part))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    shorter = part[: data.draw(st.integers(0, len(part) - 1))]
    for forged in (to_base64url(bytes(changed)), shorter, f"{part}x", f".{part}", "", "A", "AAAA"):
        assert read(f"{token}.{forged}") is None


@pytest.mark.parametrize("behind", [".", "_", "--", ")", "%3E", "?utm_source=x", ".more", "&x=1", "\r\n", ">", "=\r\n"])
def test_whatever_a_mail_program_appends_to_a_part_is_ignored(behind):
    assert read(written() + behind) == ANA


def test_a_link_that_was_percent_encoded_once_more_keeps_its_part():
    assert read("".join(f"%{ord(character):02X}" for character in written())) == ANA


def test_a_part_says_nothing_to_whoever_lacks_the_key():
    assert b"ana" not in from_base64url(written().rpartition(".")[2])
    foreign = Keyring([("k2", "x" * 40)])
    token = token_of(keyring=foreign)
    assert read(f"{token}.{written().rpartition('.')[2]}", foreign) is None


def test_a_part_is_readable_for_as_long_as_its_key_is_in_the_keyring():
    text = written(key="k1")
    assert read(text, Keyring([OLD])) == read(text) == ANA
    with pytest.raises(LinkUnreadable):
        read(text, Keyring([NEW]))


def test_a_part_of_a_newer_release_is_none():
    token = token_of()
    newer = Cipher(KEYRING, renewals.PURPOSE, key="k2").encrypt(b"2 something else", context=token.encode())
    assert read(f"{token}.{to_base64url(newer)}") is None
