"""Encryption for the service alone: the same bytes every time, bound to a purpose, a context and a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.encryption import Cipher
from newsletter.keys import Keyring

KEYRING = Keyring([("k2", "t" * 40), ("k1", "s" * 40)])

texts, contexts = st.binary(min_size=1, max_size=300), st.binary(max_size=60)


def cipher(purpose: str = "tests", key: str = "k1") -> Cipher:
    return Cipher(KEYRING, purpose, key=key)


@given(texts, contexts)
def test_the_same_text_gives_the_same_bytes_which_only_its_context_opens(text, context):
    encrypted = cipher().encrypt(text, context=context)
    assert cipher().encrypt(text, context=context) == encrypted
    assert cipher().decrypt(encrypted, context=context) == text
    assert cipher().decrypt(encrypted, context=context + b"x") is None


@given(texts, contexts, st.data())
def test_no_changed_or_shortened_bytes_are_decrypted(text, context, data):
    encrypted = cipher().encrypt(text, context=context)
    bit = data.draw(st.integers(0, len(encrypted) * 8 - 1))
    changed = bytearray(encrypted)
    changed[bit // 8] ^= 1 << bit % 8
    shorter = encrypted[: data.draw(st.integers(0, len(encrypted) - 1))]
    for forged in (bytes(changed), shorter, encrypted + b"\0"):
        assert cipher().decrypt(forged, context=context) is None


def test_purposes_and_keys_never_open_what_another_one_encrypted():
    encrypted = cipher().encrypt(b"ana@example.org", context=b"")
    assert b"ana" not in encrypted
    assert cipher("other").decrypt(encrypted, context=b"") is None
    assert cipher(key="k2").decrypt(encrypted, context=b"") is None
    with pytest.raises(KeyError):
        cipher(key="k3")
