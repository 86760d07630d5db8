"""Withdraw and refuse: append each decision to the ledger, then update the subscriptions derived from it.

To confirm is the matter of `confirmations`.
"""

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from newsletter.consent import ledger, signups, subscribers, suppressions
from newsletter.consent.ledger import Entry, Event, Trace
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
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
    how: str,
    trace: Trace | None,
    now: datetime,
) -> list[int]:
    """End these subscriptions, or all, at once (GDPR Art. 7(3)); return the newsletters of those that this call ended.

    The caller has locked the subscriber's row. Repeating it is harmless.
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
    evidence = {"address": subscriber.address or "", "how": how}
    entries = [
        Entry(subscriber.subject, Event.WITHDRAWN, number, None, now, evidence, trace, secrets.token_bytes(32))
        for number in stopped
    ]
    ledger.append_all(session, entries, last={subscriber.subject: rows[0][1]})
    subscribers.set_standings(session, subscriber.id, stopped, Standing.LEFT, now=now)
    return stopped


def refuse(session: Session, keyring: Keyring, signup: Signup, *, trace: Trace | None, now: datetime) -> None:
    """Suppress this address for good, even if somebody signs it up again; only its owner can undo that.

    It also ends every subscription. Repeating it is harmless.
    """
    if signup.state == SignupState.REFUSED:
        return
    subscriber = subscribers.lock_by_key(session, signup.address_key)
    if subscriber and subscriber.suppressed != suppressions.Reason.NEVER:
        withdraw(session, subscriber, newsletters=None, how="never", trace=trace, now=now)
        ledger.append(
            session,
            subscriber.subject,
            Event.REFUSED,
            evidence={"address": signup.address, "how": "link in the confirmation letter"},
            trace=trace,
            now=now,
        )
    suppressions.add(session, keyring, signup.address_key, suppressions.Reason.NEVER, now=now)
    signup.state = SignupState.REFUSED
    signup.forget_at = signup.received_at + signups.LINK_LIFETIME  # a confirmed sign-up may have been kept for longer
    session.flush()
