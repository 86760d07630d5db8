"""Choose the lane of each sign-up that is owed a letter: the letter is owed now, or it waits in the slow lane.

- A letter that fits its limits is owed now.
- A sign-up that only a program posts like this (`Doubt.TRAP`) begins in the slow lane. One that was merely fast begins
  there while limits hold others up. When its turn has come, each is one like any other.
- A proof of work buys the fast lane: it outweighs the doubt, and the limits of the host and the network are higher with
  it (`LetterLimits.with_proof`). The limits of the inbox, the recipients' domain and all letters stand. It is used up
  only where it bought something.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter.consent.limits import proof_of_work, used_solutions
from newsletter.consent.limits.form_signs import Doubt
from newsletter.consent.limits.pressure import LetterKeys, Room
from newsletter.consent.limits.proof_of_work import Proof
from newsletter.consent.signups import slow_lane
from newsletter.keys import Keyring


def proofs(keyring: Keyring, signups: Iterable[Row[Any]]) -> dict[int, Proof]:
    """Return the proofs of work of those sign-ups that are looked at for the first time, by their ids."""
    checked = {
        each.id: proof_of_work.check(keyring, each.solution, posted_at=each.received_at)
        for each in signups
        if each.solution and each.slow_lane_at is None
    }
    return {number: proof for number, proof in checked.items() if proof}


class Lanes:
    """Chooses lanes, in the order of the claim. Holds the lock of `pressure.room` as long as its transaction lasts."""

    def __init__(self, session: Session, room: Room, proofs: dict[int, Proof]) -> None:
        self._session = session
        self._room = room
        self._proofs = proofs
        self._used = used_solutions.used(session, proofs.values())
        self._now_used: list[Proof] = []
        self._is_under_attack: bool | None = None  # not yet read

    def take(self, signup: Row[Any], letter: LetterKeys) -> bool:
        """Count the letter if it is owed now, and return True; return False if it waits."""
        if not self._begins_slow(signup) and self._room.take(letter):
            return True
        proof = self._proofs.get(signup.id)
        if proof and proof.key not in self._used and self._room.take(letter, has_proof=True):
            self._used.add(proof.key)
            self._now_used.append(proof)
            return True
        if signup.doubt is None:
            self._is_under_attack = True
        return False

    def _begins_slow(self, signup: Row[Any]) -> bool:
        if signup.slow_lane_at is not None or signup.doubt is None:
            return False
        if signup.doubt != Doubt.YOUNG:
            return True
        if self._is_under_attack is None:
            self._is_under_attack = slow_lane.is_under_attack(self._session)
        return self._is_under_attack

    def write(self) -> None:
        """Store the counts of letters, and which proofs are used up."""
        self._room.write(self._session)
        used_solutions.use(self._session, self._now_used)
