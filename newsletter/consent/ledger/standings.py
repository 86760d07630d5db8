"""Derive every standing from the ledger in one statement, and compare the result with the stored subscriptions."""

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import EFFECTS, Event, LedgerEntry
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription

# A number for each event that decides a standing. MAX(ordinal * _BASE + number) finds the last such event of a group.
_NUMBERS = {event: number for number, event in enumerate(EFFECTS, start=1)}
_BASE = len(_NUMBERS) + 1


def derived() -> CTE:
    """Return a CTE (subject, newsletter_id, standing): `ledger.standing` for the whole ledger, in one pass."""
    number = case(*((LedgerEntry.event == event, number) for event, number in _NUMBERS.items()))
    last = func.max(LedgerEntry.ordinal * _BASE + number) % _BASE
    is_confirmed = func.max(case((LedgerEntry.event == Event.CONFIRMED, 1), else_=0)) == 1
    rules = []
    for event, effect in EFFECTS.items():
        is_last = last == _NUMBERS[event]
        rules.append((and_(is_last, is_confirmed), _literal(effect.if_confirmed)))
        rules.append((is_last, _literal(effect.if_unconfirmed)))
    standing = case(*rules)
    group = LedgerEntry.subject, LedgerEntry.newsletter_id
    rows = select(*group, standing.label("standing")).where(LedgerEntry.newsletter_id.is_not(None)).group_by(*group)
    return rows.cte("derived")


def _literal(standing: Standing | None) -> ColumnElement[Any]:
    return null() if standing is None else literal(standing, Subscription.standing.type)


def differing() -> Select[*tuple[Any, ...]]:
    """Select the subscriptions that differ from the ledger: (subscriber, newsletter, stored, derived standing)."""
    derived_rows = derived()
    stored = (
        select(Subscription.subscriber_id, Subscription.newsletter_id, Subscription.standing, derived_rows.c.standing)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .outerjoin(
            derived_rows,
            and_(
                derived_rows.c.subject == Subscriber.subject,
                derived_rows.c.newsletter_id == Subscription.newsletter_id,
            ),
        )
        .where(derived_rows.c.standing.is_distinct_from(Subscription.standing))
    )
    missing = (
        select(Subscriber.id, derived_rows.c.newsletter_id, null(), derived_rows.c.standing)
        .join(derived_rows, derived_rows.c.subject == Subscriber.subject)
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Subscriber.id,
                Subscription.newsletter_id == derived_rows.c.newsletter_id,
            ),
        )
        .where(derived_rows.c.standing.is_not(None), Subscription.subscriber_id.is_(None))
    )
    both = union_all(stored, missing).subquery()
    return select(*both.c).order_by(both.c[0], both.c[1])


def rebuild(session: Session, subscriber_id: int, newsletter_id: int) -> bool:
    """Derive one subscription from the ledger again; return False, and change nothing, if the entries are not whole.

    Cadence and pause are the reader's own choices and stay as they are. The subscriber's row is locked.
    """
    subscriber = subscribers.lock_by_id(session, subscriber_id)
    if subscriber is None:
        return False
    entries = ledger.history(session, subscriber.subject)
    if not is_whole(entries):
        return False
    about = [entry for entry in entries if entry.newsletter_id == newsletter_id]
    standing = ledger.standing(entry.event for entry in about)
    row = session.get(Subscription, (subscriber_id, newsletter_id))
    if standing is not None:
        since = max(entry.at for entry in about if entry.event in EFFECTS)
        subscribers.set_standing(session, subscriber_id, newsletter_id, standing, now=since)
    elif row is not None:
        session.delete(row)
        session.flush()
    return True


def is_whole(entries: list[LedgerEntry]) -> bool:
    """Return whether a subject's entries are numbered without a gap and none was changed after it was written."""
    has_no_gap = [entry.ordinal for entry in entries] == list(range(1, len(entries) + 1))
    return has_no_gap and all(ledger.leaf(entry) == entry.leaf for entry in entries)
