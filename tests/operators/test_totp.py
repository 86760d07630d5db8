"""The secret of the second factor: encrypted with a key that can be replaced."""

from datetime import timedelta

import pyotp
import pytest

from newsletter import key_registry
from newsletter.errors import Misconfigured
from newsletter.keys import Keyring
from newsletter.operators import operators, recovery_codes, totp
from newsletter.operators.roles import Role
from tests.clock import NOON

OLD, NEW = ("k1", "o" * 40), ("k2", "n" * 40)


@pytest.fixture
def number(begin):
    """An operator whose secret is encrypted with the old key."""
    with begin() as session:
        key_registry.check(session, Keyring([OLD]), now=NOON)
        operator = operators.add(session, "ann@press.example", role=Role.ADMIN, actor="tests", now=NOON)
        totp.begin(operator, Keyring([OLD]))
        return operator.id


def take(begin, number, code, keyring, now):
    with begin() as session:
        return totp.take(session, operators.numbered(session, number), code, keyring, now=now)


def test_the_next_code_after_a_change_of_keys_encrypts_the_secret_anew_so_the_old_key_can_go(begin, number):
    both = Keyring([NEW, OLD])
    with begin() as session:
        key_registry.check(session, both, now=NOON)
        operator = operators.numbered(session, number)
        app = pyotp.TOTP(totp.secret(operator, both))
        with pytest.raises(Misconfigured, match="k1 is missing but still in use"):
            key_registry.check(session, Keyring([NEW]), now=NOON)
        assert totp.secret(operator, Keyring([NEW])) is None
        assert not totp.take(session, operator, app.at(NOON), Keyring([NEW]), now=NOON)
    assert take(begin, number, app.at(NOON), both, NOON)
    with begin() as session:
        assert totp.names_key(session, "k2")
        assert not totp.names_key(session, "k1")
        key_registry.check(session, Keyring([NEW]), now=NOON)
    later = NOON + timedelta(seconds=30)
    assert take(begin, number, app.at(later), Keyring([NEW]), later)


def test_an_older_code_is_refused_after_a_newer_one_although_nobody_used_it(begin, number):
    keyring = Keyring([OLD])
    with begin() as session:
        app = pyotp.TOTP(totp.secret(operators.numbered(session, number), keyring))
    assert take(begin, number, app.at(NOON), keyring, NOON)
    assert not take(begin, number, app.at(NOON, counter_offset=-1), keyring, NOON)
    assert not take(begin, number, app.at(NOON), keyring, NOON)
    assert take(
        begin, number, f" {app.at(NOON, counter_offset=1)[:3]} {app.at(NOON, counter_offset=1)[3:]} ", keyring, NOON
    )
    for garbage in ("", "abcdef", "١٢٣٤٥٦", "1234567"):
        assert not take(begin, number, garbage, keyring, NOON)


def test_a_recovery_code_counts_once_and_new_ones_replace_it(begin, number):
    with begin() as session:
        old = recovery_codes.renew(session, number)
        assert recovery_codes.take(session, number, old[0].lower().replace("-", " "), now=NOON)
        assert not recovery_codes.take(session, number, old[0], now=NOON)
        assert recovery_codes.left(session, number) == 9
        new = recovery_codes.renew(session, number)
        assert not recovery_codes.take(session, number, old[1], now=NOON)
        assert not recovery_codes.take(session, number + 1, new[0], now=NOON)
        assert recovery_codes.take(session, number, new[0], now=NOON)
