"""How often and in which ways the test relay misbehaves."""

import hashlib
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Misbehavior:
    """The relay's misbehavior; most numbers are probabilities between 0 and 1."""

    delay: float = 0  # seconds until the final dot is answered, as by a distant relay
    slow_for: float = 20  # seconds for which a slow connection is read one octet a second; then it is cut or goes on
    greylist: float = 0  # 450 to the first attempt for a recipient
    refuse: float = 0  # 550 to a recipient, always the same ones
    storm: float = 0  # 421 to a connection, to MAIL FROM, or to the final dot
    drop: float = 0  # closes the connection after the final dot without a reply; half of these letters are accepted
    slow: float = 0  # a connection is read one octet a second from the next DATA on
    away: bool = False
    hold: str = ""  # the relay never replies to this recipient
    forget: float = 0  # 250, but the letter is thrown away: the comparison has to notice
    double: float = 0  # the letter is accepted twice: the comparison has to notice


class RelayBehavior:
    """The current misbehavior, and random decisions that depend only on the seed and the subject."""

    def __init__(self, seed: int) -> None:
        self.misbehavior = Misbehavior()
        self.tries: Counter[str] = Counter()  # by recipient
        self._seed = seed

    def happens(self, probability: float, *subject: object) -> bool:
        """Return whether something happens to the subject: always the same for the same seed."""
        return probability > 0 and self.draw(*subject) < probability

    def draw(self, *subject: object) -> float:
        """Return a number from 0 to 1 for the subject."""
        text = "\0".join(map(str, (self._seed, *subject)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64
