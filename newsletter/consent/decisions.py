"""Confirm, withdraw and refuse: append each decision to the ledger, then update the subscription derived from it."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent import ledger, signups, subscribers, suppressions
from newsletter.consent.ledger import Event, Trace
from newsletter.consent.limits import inboxes
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.consent.wordings import Wording
from newsletter.errors import LinkExpired
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter

LINK = "link in the confirmation letter"
LINK_TO_OTHER_SPELLING = "link in the confirmation letter to another spelling of the inbox"


def find_signup(session: Session, ids: tuple[int, ...], *, lock: bool) -> Signup:
    """Return the sign-up that a link names by (id, nonce); `lock` holds its row until the transaction ends.

    Raises LinkExpired if the row was deleted, or if its id now belongs to another sign-up.
    """
    signup_id, nonce = ids
    signup = session.get(Signup, signup_id, with_for_update=lock)
    if signup is None or signup.nonce != nonce:
        raise LinkExpired
    return signup


def confirm(
    session: Session, signup: Signup, *, evidence: Mapping[str, str], trace: Trace | None, now: datetime
) -> bool:
    """Subscribe the owner of the inbox; return False, and change nothing, if the subscription exists already.

    Raises LinkExpired where `awaits_confirmation` does: a used link never restores a subscription that was left since.
    """
    subscriber = subscribers.lock_by_key(session, signup.address_key)
    if not awaits_confirmation(session, signup, now=now):
        return False
    assert subscriber is not None  # awaits_confirmation raises where there is none
    wording = session.get_one(Wording, signup.wording_id)
    for newsletter in _newsletters(session, signup.newsletters):
        ledger.append(
            session,
            subscriber.subject,
            Event.CONFIRMED,
            newsletter=newsletter,
            wording=wording,
            evidence={"address": signup.address, "confirm_page": wording.confirm_exhibit, **evidence},
            trace=trace,
            now=now,
        )
        subscribers.set_standing(session, subscriber.id, newsletter.id, Standing.SUBSCRIBED, now=now)
    entered = signup.evidence
    subscriber.name = entered.get("name") or subscriber.name
    subscriber.language = entered.get("language") or subscriber.language
    subscriber.zone = entered.get("timezone") or subscriber.zone
    signup.state = SignupState.CONFIRMED
    session.flush()
    return True


def awaits_confirmation(session: Session, signup: Signup, *, now: datetime) -> bool:
    """Return True if the sign-up can be confirmed now, False if one of its newsletters is subscribed to already.

    Raises LinkExpired in every other case: after 72 hours, for an unknown address or one that refuses all mail, and if
    the subscriber has left everything since. The page must not say "you are subscribed" to somebody who is not.
    """
    subscriber = session.scalar(select(Subscriber).where(Subscriber.address_key == signup.address_key))
    if subscriber is None or subscriber.suppressed == suppressions.Reason.NEVER:
        raise LinkExpired
    if signup.state == SignupState.ASKED and not signups.expired(signup, now=now):
        return True
    current = subscribers.subscriptions(session, subscriber.id)
    if any(current[number].standing == Standing.SUBSCRIBED for number in signup.newsletters if number in current):
        return False
    raise LinkExpired


def withdraw(
    session: Session,
    subscriber: Subscriber,
    *,
    newsletters: Collection[int],
    how: str,
    trace: Trace | None,
    now: datetime,
) -> list[int]:
    """End these subscriptions at once (GDPR Art. 7(3)); return the ids of those that this call ended.

    Repeating it is harmless.
    """
    current = subscribers.subscriptions(session, subscriber.id)
    stopped = [number for number in newsletters if number in current and current[number].standing != Standing.LEFT]
    for newsletter in _newsletters(session, stopped):
        ledger.append(
            session,
            subscriber.subject,
            Event.WITHDRAWN,
            newsletter=newsletter,
            evidence={"address": subscriber.address or "", "how": how},
            trace=trace,
            now=now,
        )
        subscribers.set_standing(session, subscriber.id, newsletter.id, Standing.LEFT, now=now)
    return stopped


def refuse(session: Session, keyring: Keyring, signup: Signup, *, trace: Trace | None, now: datetime) -> None:
    """Suppress this address for good, with every spelling of its inbox, even if somebody signs it up again.

    It also ends every subscription of that inbox. Only its owner can undo it. Repeating it is harmless.
    """
    if signup.state == SignupState.REFUSED:
        return
    _close_allowed_letters(session, keyring, signup.address_key)
    for subscriber in suppressions.add(session, keyring, signup.address_key, suppressions.Reason.NEVER, now=now):
        how = LINK if subscriber.address_key == signup.address_key else LINK_TO_OTHER_SPELLING
        end_for_never(session, subscriber, how=how, trace=trace, now=now)
    signup.state = SignupState.REFUSED
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


def end_for_never(session: Session, subscriber: Subscriber, *, how: str, trace: Trace | None, now: datetime) -> None:
    """End every subscription of somebody who asked never to be written to, and record that in the ledger."""
    subscribed = subscribers.subscriptions(session, subscriber.id)
    withdraw(session, subscriber, newsletters=subscribed, how="never", trace=trace, now=now)
    evidence = {"address": subscriber.address or "", "how": how}
    ledger.append(session, subscriber.subject, Event.REFUSED, evidence=evidence, trace=trace, now=now)


def _newsletters(session: Session, ids: Collection[int]) -> list[Newsletter]:
    return list(session.scalars(select(Newsletter).where(Newsletter.id.in_(ids)).order_by(Newsletter.id)))
