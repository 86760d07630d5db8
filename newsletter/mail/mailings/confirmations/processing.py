"""Process waiting sign-ups in sets, and set one that cannot be processed aside without stopping the others."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.orm import Session

from newsletter.consent.signups import replacements
from newsletter.consent.signups.signups import IS_SLOW, RECEIVED, Signup, SignupState
from newsletter.mail.mailings.confirmations.answering import Answering
from newsletter.mail.mailings.confirmations.writing import Overtaken
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.store.database_errors import is_conflict, is_unavailable

SET_SIZE = 200  # sign-ups in one transaction at most
MAX_CONFLICTS = 20  # in a row; each means that another transaction was answered instead

Signups = Sequence[Row[Any]]
SignupClaim = Callable[[Session], Signups]  # locks and returns the sign-ups of one set, in the order of their answers

COLUMNS = tuple(Signup.__table__.columns)

log = logging.getLogger(__name__)


def process(
    begin: Begin,
    claim: SignupClaim,
    answering: Answering,
    *,
    clock: Callable[[], datetime],
    on_claim: Callable[[], None] = lambda: None,
) -> Signups:
    """Claim one set of sign-ups and answer it in one transaction; return what was claimed.

    Calls `on_claim` when something was. A set that fails is answered again in halves, so that a sign-up that fails
    twice alone is marked failed and logged, and the others are answered. A conflict is not a failure: two workers may
    collide on the same inbox, and the set is answered again. Raises the error if the database is unavailable; what was
    not answered by then stays as it was.
    """
    claimed: list[Signups] = []

    def first_claim(session: Session) -> Signups:
        claimed.append(signups := claim(session))
        if signups:
            on_claim()
        return signups

    has_failed = _attempt(begin, first_claim, answering, clock)
    signups = claimed[-1]
    if has_failed:
        _answer_parts(begin, [each.id for each in signups], answering, clock)
    return signups


def _attempt(begin: Begin, claim: SignupClaim, answering: Answering, clock: Callable[[], datetime]) -> Exception | None:
    """Answer a set, again after each conflict; return the error if the set itself cannot be answered."""
    conflicts = 0
    while True:
        signups: Signups | None = None
        try:
            with begin() as session:
                signups = claim(session)
                now = clock()
                # First, so that no letter leaves for an address that its own visitor has corrected meanwhile.
                if asking := signups and replacements.void_replaced(session, answering.keyring, signups, now=now):
                    answering.answer(session, asking, now=now)
        except Exception as error:
            if isinstance(error, Overtaken) or is_conflict(error):
                conflicts += 1
                if conflicts < MAX_CONFLICTS:
                    continue
                raise
            if signups is None or is_unavailable(error):  # the database failed, not a sign-up
                raise
            return error
        return None


def _answer_parts(begin: Begin, numbers: Sequence[int], answering: Answering, clock: Callable[[], datetime]) -> None:
    """Answer the halves of a set that failed; a single sign-up is tried once more and then set aside."""
    if len(numbers) == 1:
        if error := _attempt(begin, _locking(numbers), answering, clock):
            _mark_failed(begin, numbers[0], error)
        return
    middle = len(numbers) // 2
    for part in (numbers[:middle], numbers[middle:]):
        if part and _attempt(begin, _locking(part), answering, clock):
            _answer_parts(begin, part, answering, clock)


def _locking(numbers: Sequence[int]) -> SignupClaim:
    """Return the claim of those of these sign-ups that still wait and that no other transaction has locked."""
    place = {number: position for position, number in enumerate(numbers)}

    def claim(session: Session) -> Signups:
        waiting = select(*COLUMNS).where(Signup.id.in_(numbers), or_(RECEIVED, IS_SLOW))
        locked = session.execute(waiting.with_for_update(skip_locked=True)).all()
        return sorted(locked, key=lambda each: place[each.id])

    return claim


def _mark_failed(begin: Begin, number: int, error: Exception) -> None:
    log_failure(log, "a sign-up cannot be processed", error, signup=number)
    waiting = update(Signup).where(Signup.id == number, or_(RECEIVED, IS_SLOW))
    with begin() as session:
        session.execute(waiting.values(state=SignupState.FAILED, slow_lane_at=None))
