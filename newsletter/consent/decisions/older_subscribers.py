"""Older subscribers: give those that an earlier release has stored the fold of their inbox.

Only then does "never write to me", said at one spelling, find a person's other spellings. Remove it when no release
inserts subscribers without a fold any more and every database has been through it.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.keys import Keyring

BATCH_SIZE = 500  # subscribers in one transaction


def fold(session: Session, keyring: Keyring, *, now: datetime, limit: int = BATCH_SIZE) -> int:
    """Fold up to `limit` subscribers that have no fold yet; return how many.

    Whose inbox has said "never" meanwhile, at another spelling, is suppressed as `decisions.refuse` does it.
    """
    older = select(Subscriber).where(Subscriber.fold_key.is_(None), Subscriber.address_key.is_not(None)).limit(limit)
    people = {each.address_key or "": each for each in session.scalars(older.with_for_update(skip_locked=True))}
    if not people:
        return 0
    folds = [
        {"id": each.id, "fold_key": inboxes.fold(keyring, inboxes.inbox(address_key).key)}
        for address_key, each in people.items()
    ]
    session.execute(update(Subscriber), folds)
    for address_key in suppressions.never(session, keyring, people):
        subscriber = people[address_key]
        if subscriber.suppressed != Reason.NEVER:
            subscriber.suppressed = Reason.NEVER
            decisions.end_for_never(session, subscriber, how=EvidenceTerm.NEVER_SAID_BEFORE, trace=None, now=now)
    session.flush()
    return len(people)


def forget_keys(session: Session, keyring: Keyring) -> None:
    """Remove the folds that a key made which the keyring no longer has; they are then made anew."""
    kept = [Subscriber.fold_key.startswith(f"{name}:", autoescape=True) for name in keyring]
    gone = update(Subscriber).where(Subscriber.fold_key.is_not(None), *(~each for each in kept))
    session.execute(gone.values(fold_key=None), execution_options={"synchronize_session": False})
