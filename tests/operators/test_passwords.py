"""Passwords: how they are stored, which are refused, and how many are hashed at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import pytest
from argon2 import PasswordHasher

from newsletter.errors import Malformed
from newsletter.operators import passwords
from newsletter.operators.passwords import AT_ONCE, MAX_WAITING, Passwords, TooBusy
from tests.waiting import TIMEOUT, eventually
from tests.whole_service import CHEAP_HASHES


def test_a_password_is_stored_as_argon2id_with_at_least_the_recommended_costs():
    stored = Passwords().hash("violet harbour ledger 7")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_stored_password_is_recognized_in_every_spelling_of_unicode_and_no_other():
    keeper = Passwords(CHEAP_HASHES)
    stored = keeper.hash("caf\u00e9 harbour ledger")
    assert keeper.is_right(stored, "cafe\u0301 harbour ledger")
    assert not keeper.is_right(stored, "cafe harbour ledger")
    assert not keeper.is_right(None, "the password of nobody")
    assert not keeper.is_right("no hash at all", "caf\u00e9 harbour ledger")
    assert not keeper.is_right(stored, "x" * 1_000_000)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "password1234",
        "qwertyuiop123",
        "aaaaaaaaaaaaaaaa",
        "newsletter2026",
        "ann@press.example",
        "x" * 257,
        "ab" * 128,
    ],
)
def test_a_password_that_others_guess_is_refused_in_words(password):
    with pytest.raises(Malformed, match=r"^(Enter at|Choose another password\. .+\.) "):
        passwords.check(password, own_words=("Ann Example", "ann@press.example"))


@pytest.mark.parametrize(
    "password", ["violet harbour ledger 7", "kJ8#mQ2!vR5x", "тихая река осенью", "x7" * 8 + "Lantern quarry"]
)
def test_a_password_that_nobody_guesses_is_taken(password):
    passwords.check(password, own_words=("Ann Example", "ann@press.example"))


class SlowHasher(PasswordHasher):
    """Hashes once the test allows it."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.may_end = Event()
        self.begun = Semaphore(0)

    def hash(self, password, **options):
        self.begun.release()
        assert self.may_end.wait(TIMEOUT)
        return super().hash(password, **options)


def test_two_are_hashed_at_once_a_few_wait_and_the_rest_are_asked_to_come_again():
    hasher = SlowHasher()
    keeper = Passwords(hasher, wait_seconds=TIMEOUT)
    with ThreadPoolExecutor(AT_ONCE + MAX_WAITING + 3) as pool:
        asked = [pool.submit(keeper.hash, "violet harbour ledger 7") for _ in range(AT_ONCE + MAX_WAITING + 3)]
        eventually(lambda: sum(each.done() for each in asked) >= 3)
        refused = [each for each in asked if each.done()]
        hasher.may_end.set()
        assert [type(each.exception()) for each in refused] == [TooBusy] * 3
        assert all(each.result() for each in asked if each not in refused)
    with pytest.raises(TooBusy):
        _while_two_are_hashed(Passwords(hasher, wait_seconds=0.01), hasher)


def _while_two_are_hashed(keeper, hasher):
    hasher.may_end.clear()
    hasher.begun = Semaphore(0)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(AT_ONCE):
            pool.submit(keeper.hash, "violet harbour ledger 7")
            assert hasher.begun.acquire(timeout=TIMEOUT)
        try:
            keeper.hash("violet harbour ledger 7")
        finally:
            hasher.may_end.set()
