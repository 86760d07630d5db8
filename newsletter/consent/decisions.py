"""What people decide: to confirm, to leave, never to be written to. Each is appended to the ledger, then settled."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent import ledger, signups, subscribers, suppressions
from newsletter.consent.ledger import Event, Trace
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.consent.wordings import Wording
from newsletter.errors import LinkExpired
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter


def signup_of(session: Session, ids: tuple[int, ...], *, lock: bool) -> Signup:
    """The sign-up that a link names. Raises LinkExpired where it is deleted or another one took its number."""
    number, nonce = ids
    signup = session.get(Signup, number, with_for_update=lock)
    if signup is None or signup.nonce != nonce:
        raise LinkExpired
    return signup


def confirm(
    session: Session, signup: Signup, *, evidence: Mapping[str, str], trace: Trace | None, now: datetime
) -> bool:
    """The inbox's owner agrees to what was asked for; False if that was so before, and nothing changes.

    Raises LinkExpired where `is_open` would: a used link never brings back what was left since.
    """
    subscriber = subscribers.by_key(session, signup.address_key)
    if not is_open(session, signup, now=now):
        return False
    assert subscriber is not None  # is_open raises where there is none
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
        subscribers.settle(session, subscriber.id, newsletter.id, Standing.SUBSCRIBED, now=now)
    said = signup.evidence
    subscriber.name = said.get("name") or subscriber.name
    subscriber.language = said.get("language") or subscriber.language
    subscriber.zone = said.get("timezone") or subscriber.zone
    signup.state = SignupState.CONFIRMED
    session.flush()
    return True


def is_open(session: Session, signup: Signup, *, now: datetime) -> bool:
    """Whether a sign-up waits to be confirmed; False if what it asks for is subscribed to already.

    Otherwise raises LinkExpired: after 72 hours, for an address that is not to be written to, and where everything was
    left since: the page must not say "you are subscribed" to somebody who is not.
    """
    subscriber = session.scalar(select(Subscriber).where(Subscriber.address_key == signup.address_key))
    if subscriber is None or subscriber.suppressed == suppressions.Reason.NEVER:
        raise LinkExpired
    if signup.state == SignupState.ASKED and not signups.expired(signup, now=now):
        return True
    standing = subscribers.subscriptions(session, subscriber.id)
    if any(standing[n].standing == Standing.SUBSCRIBED for n in signup.newsletters if n in standing):
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
    """Stop these newsletters at once (GDPR Art. 7(3)); returns those stopped now. Repeating it is harmless."""
    standing = subscribers.subscriptions(session, subscriber.id)
    stopped = [number for number in newsletters if number in standing and standing[number].standing != Standing.LEFT]
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
        subscribers.settle(session, subscriber.id, newsletter.id, Standing.LEFT, now=now)
    return stopped


def refuse(session: Session, keyring: Keyring, signup: Signup, *, trace: Trace | None, now: datetime) -> None:
    """Never write to this address again, whoever enters it; only its owner can undo that. Repeating it is harmless."""
    if signup.state == SignupState.REFUSED:
        return
    subscriber = subscribers.by_key(session, signup.address_key)
    if subscriber and subscriber.suppressed != suppressions.Reason.NEVER:
        everything = subscribers.subscriptions(session, subscriber.id)
        withdraw(session, subscriber, newsletters=everything, how="never", trace=trace, now=now)
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
    signup.forget_at = signup.received_at + signups.VALID  # it is not kept any longer for a reader's links
    session.flush()


def _newsletters(session: Session, numbers: Collection[int]) -> list[Newsletter]:
    return list(session.scalars(select(Newsletter).where(Newsletter.id.in_(numbers)).order_by(Newsletter.id)))
