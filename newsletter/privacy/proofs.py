"""Erase the proof of a consent at the end of the third year after its reader has left, as the sign-up form promises."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, exists, select, tuple_, update
from sqlalchemy.orm import Session

from newsletter.consent.ledger.ledger import LedgerEntry
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.subscribers import LEFT_WITH_PROOF, Standing, Subscriber, Subscription
from newsletter.privacy import folding
from newsletter.privacy.lapses import erase_evidence

BATCH_SIZE = 20  # subscriptions in one transaction: each of a reader's deliveries is unlinked
PROOF_YEARS = 3  # full calendar years; claims are barred after them (German Civil Code, sections 195 and 199)


class KeptSubscription(NamedTuple):
    """A subscription whose proof may have to go."""

    newsletter_id: int
    is_over: bool


def erase_due(session: Session, *, now: datetime) -> int:
    """Erase what is due, of a batch of subscriptions; return how many people and single proofs were erased.

    The evidence about a newsletter goes when its time is over. The subscriber goes with the last of them, so that no
    address is left; a suppression stays, because it protects that person. Entries of the ledger stay, too: without
    subscriber and evidence they identify nobody.
    """
    over = _left_before(now)
    due = select(Subscription.subscriber_id).where(LEFT_WITH_PROOF, Subscription.since < over)
    ids = session.scalars(due.order_by(Subscription.since).limit(BATCH_SIZE)).all()
    if not ids:
        return 0
    people = select(Subscriber.id, Subscriber.subject).where(Subscriber.id.in_(ids)).order_by(Subscriber.address_key)
    without_signup = ~exists().where(Signup.address_key == Subscriber.address_key)  # its links find the person by it
    locked = people.where(without_signup).with_for_update(key_share=True, skip_locked=True, of=Subscriber)
    subjects = {row.id: row.subject for row in session.execute(locked)}
    kept: defaultdict[int, list[KeptSubscription]] = defaultdict(list)
    rows = select(Subscription).where(Subscription.subscriber_id.in_(subjects))
    for each in session.scalars(rows.execution_options(populate_existing=True)):
        is_over = each.standing == Standing.LEFT and each.since < over
        kept[each.subscriber_id].append(KeptSubscription(each.newsletter_id, is_over))
    gone = [person for person, subscriptions in kept.items() if all(each.is_over for each in subscriptions)]
    partly = [(person, each.newsletter_id) for person in kept.keys() - gone for each in kept[person] if each.is_over]
    entries = select(LedgerEntry.id).where(
        LedgerEntry.subject.in_([subjects[person] for person in gone])
        | tuple_(LedgerEntry.subject, LedgerEntry.newsletter_id).in_([(subjects[one], about) for one, about in partly])
    )
    erase_evidence(session, session.scalars(entries).all())
    if partly:
        key = tuple_(Subscription.subscriber_id, Subscription.newsletter_id)
        session.execute(update(Subscription).where(key.in_(partly)).values(proof_erased_at=now))
    if gone:
        folding.fold_welcomes(session, gone, now=now)
        session.execute(delete(Subscriber).where(Subscriber.id.in_(gone)))
    return len(gone) + len(partly)


def _left_before(now: datetime) -> datetime:
    """Return the time before which a reader must have left. The new year has begun everywhere, whatever the zone."""
    year = (now - timedelta(days=1)).astimezone(UTC).year
    return datetime(year - PROOF_YEARS, 1, 1, tzinfo=UTC)
