"""Passwords: argon2id hashes, and which passwords are too easy to guess.

A hash takes 64 MiB and a tenth of a second on purpose, so a process computes at most two at once. Never call this with
a transaction open.
"""

import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from zxcvbn import zxcvbn

from newsletter.errors import Malformed, Refused

MIN_CHARACTERS, MAX_CHARACTERS = 12, 256
MIN_SCORE = 3  # of zxcvbn's 0 to 4: at least 10^8 guesses
CONSIDERED_CHARACTERS = 72  # zxcvbn's time grows with the square of the length
AT_ONCE, MAX_WAITING = 2, 8  # hashes that a process computes, and requests that wait for one and keep a thread busy
WAIT_SECONDS = 5.0


class TooBusy(Refused):
    """Others are signing in, and the process computes no further hash now."""

    default = "Too many people are signing in at this moment. Please try again in a few seconds."


class Passwords:
    """Hashes and compares the passwords of one process."""

    def __init__(self, hasher: PasswordHasher | None = None, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._hasher = hasher or PasswordHasher()
        self._wait_seconds = wait_seconds
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._places = threading.BoundedSemaphore(AT_ONCE + MAX_WAITING)

    def hash(self, password: str) -> str:
        """Return what is stored of a password. Raises TooBusy."""
        with self._turn():
            return self._hasher.hash(_normalized(password))

    def is_right(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one. Raises TooBusy.

        Without a stored one it takes the same time, so that the answer tells nobody which accounts exist.
        """
        with self._turn():
            try:
                fits = self._hasher.verify(stored or self._nobodys, _normalized(password[: MAX_CHARACTERS + 1]))
            except (Argon2Error, InvalidHashError):
                return False
        return fits and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("the password of nobody")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooBusy
        try:
            if not self._free.acquire(timeout=self._wait_seconds):
                raise TooBusy
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._places.release()


def check(password: str, *, own_words: Sequence[str] = (), field: str = "password") -> None:
    """Raise Malformed, in words, for a password that is too short, too long or easy to guess.

    `own_words` are what others know about the operator: name and address.
    """
    if len(password) < MIN_CHARACTERS:
        raise Malformed(field, f"Enter at least {MIN_CHARACTERS} characters. A few words in a row are a good password.")
    if len(password) > MAX_CHARACTERS:
        raise Malformed(field, f"Enter at most {MAX_CHARACTERS} characters.")
    words = [word for each in own_words for word in (each, *each.replace("@", " ").replace(".", " ").split()) if word]
    found = zxcvbn(password[:CONSIDERED_CHARACTERS], user_inputs=[*words, "newsletter", "desk"])
    if found["score"] < MIN_SCORE:
        warning = found["feedback"]["warning"]
        why = warning if warning.endswith(".") else f"{warning}." if warning else "It is easy to guess."
        raise Malformed(field, f"Choose another password. {why} Three or four unrelated words are good.")


def _normalized(password: str) -> str:
    """Return the same text for all spellings of it: keyboards differ in how they write an é (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)
