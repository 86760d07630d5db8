"""Withdraw and refuse: append each decision to the ledger, then update the subscriptions derived from it.

Confirming is in `confirmation_links`.
"""

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Entry, Event, Trace
from newsletter.consent.limits import inboxes
from newsletter.consent.signups import signups
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.errors import LinkExpired
from newsletter.keys import Keyring


def find_signup(session: Session, ids: tuple[int, ...], *, lock: bool) -> Signup:
    """Return the sign-up that a link names by (id, nonce); `lock` holds its row until the transaction ends.

    Raises LinkExpired if the row was deleted, or if its id now belongs to another sign-up.
    """
    signup_id, nonce = ids
    signup = session.get(Signup, signup_id, with_for_update=lock)
    if signup is None or signup.nonce != nonce:
        raise LinkExpired
    return signup


def withdraw(
    session: Session,
    subscriber: Subscriber,
    *,
    newsletters: Collection[int] | None,
    how: EvidenceTerm,
    stated: str = "",
    trace: Trace | None,
    now: datetime,
) -> list[int]:
    """End these subscriptions, or all, at once (GDPR Art. 7(3)); return the newsletters of those that this call ended.

    The caller has locked the subscriber's row. `stated` goes on with a `how` that needs it. Repeating it is harmless.
    """
    if newsletters is not None and not newsletters:
        return []
    current = select(Subscription.newsletter_id, ledger.last_ordinal(literal(subscriber.subject))).where(
        Subscription.subscriber_id == subscriber.id, Subscription.standing != Standing.LEFT
    )
    if newsletters is not None:
        current = current.where(Subscription.newsletter_id.in_(newsletters))
    rows = session.execute(current).all()
    stopped = sorted(row[0] for row in rows)
    if not stopped:
        return []
    evidence = {EvidenceField.ADDRESS: subscriber.address or "", EvidenceField.HOW: f"{how}{stated}"}
    entries = [
        Entry(subscriber.subject, Event.WITHDRAWN, number, None, now, evidence, trace, secrets.token_bytes(32))
        for number in stopped
    ]
    ledger.append_all(session, entries, last={subscriber.subject: rows[0][1]})
    subscribers.set_standings(session, subscriber.id, stopped, Standing.LEFT, now=now)
    return stopped


def refuse(session: Session, keyring: Keyring, signup: Signup, *, trace: Trace | None, now: datetime) -> None:
    """Suppress this address for good, with every spelling of its inbox, even if somebody signs it up again.

    It also ends every subscription of that inbox. Only its owner can undo it. Repeating it is harmless; after it was
    undone, it holds again.
    """
    _close_allowed_letters(session, keyring, signup.address_key)
    for subscriber in suppressions.add(session, keyring, signup.address_key, suppressions.Reason.NEVER, now=now):
        is_own = subscriber.address_key == signup.address_key
        how = EvidenceTerm.NEVER_BY_LETTER if is_own else EvidenceTerm.NEVER_AT_OTHER_SPELLING
        end_for_never(session, subscriber, how=how, trace=trace, now=now)
    signup.state, signup.slow_lane_at = SignupState.REFUSED, None  # it waits for no letter any more
    signup.forget_at = signups.link_ends_at(signup)  # a confirmed sign-up may have been kept for longer
    session.flush()


def _close_allowed_letters(session: Session, keyring: Keyring, address_key: str) -> None:
    """See to it that no letter which an operator allowed before lifts what the person says now.

    A sign-up that is being confirmed at this moment is skipped: its transaction waits for this one's subscriber.
    """
    people = subscribers.lock_inbox(session, address_key, inboxes.folds(keyring, address_key))
    spellings = {address_key, *(each.address_key for each in people)}
    allowed = select(Signup).where(Signup.address_key.in_(spellings), Signup.lifts_suppression.is_(True))
    for signup in session.scalars(allowed.with_for_update(skip_locked=True)):
        signup.lifts_suppression = None


def end_for_never(
    session: Session, subscriber: Subscriber, *, how: EvidenceTerm, trace: Trace | None, now: datetime
) -> None:
    """End every subscription of somebody who asked never to be written to, and record that in the ledger."""
    withdraw(session, subscriber, newsletters=None, how=EvidenceTerm.NEVER, trace=trace, now=now)
    evidence = {EvidenceField.ADDRESS: subscriber.address or "", EvidenceField.HOW: how}
    ledger.append(session, subscriber.subject, Event.REFUSED, evidence=evidence, trace=trace, now=now)
