"""The moods of a relay: how often it misbehaves, and in which way."""

import hashlib
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Mood:
    """How often it does what; most numbers are chances between 0 and 1."""

    delay: float = 0  # seconds until a final dot is answered: it stands far away
    slow_for: float = 20  # seconds that a slow connection is read one octet a second; then it is cut, or goes on
    greylist: float = 0  # 450 to the first try of a recipient
    refuse: float = 0  # 550 to a recipient, always the same ones
    storm: float = 0  # 421 to a connection, to MAIL FROM, or to the final dot
    drop: float = 0  # hangs up after the final dot without a word, half of these letters taken
    slow: float = 0  # a connection is read one octet a second from the next DATA on
    away: bool = False
    hold: str = ""  # this recipient is kept waiting for ever
    forget: float = 0  # a lie, to find out whether anybody notices: 250, and the letter is thrown away
    double: float = 0  # another one: the letter is taken twice


class Temper:
    """Today's mood, and chance: whether something happens to a letter or a connection."""

    def __init__(self, seed: int) -> None:
        self.mood = Mood()
        self.tries: Counter[str] = Counter()  # by recipient
        self._seed = seed

    def happens(self, chance: float, *to_what: object) -> bool:
        """Whether it happens to this: the same for the same seed, however often it is asked."""
        return chance > 0 and self.draw(*to_what) < chance

    def draw(self, *about: object) -> float:
        words = "\0".join(map(str, (self._seed, *about)))
        return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest()) / 2**64
