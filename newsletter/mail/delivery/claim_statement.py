"""Takes: the one statement in which due deliveries are claimed, and the consent to each is checked again.

It is built once in a process. What it returns of each delivery, in this order: when it was due, its id, what it became,
attempt, variant, the address, when it was first tried, its links' key, the subscriber and the name.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.suppressions import Reason
from newsletter.content.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import (
    DEATHS,
    DELIVERIES,
    WAITING,
    Delivery,
    DeliveryStatus,
    not_sent,
    stands,
    undecided,
)
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.store.database import ID_TYPE, UtcDateTime

LEAVING = (IssueStatus.SENDING, IssueStatus.CANCELLED)  # issues whose letters are decided, by whatever became of them
ID, STATUS = 1, 2  # where they are among what is returned

_NOW = bindparam("now", type_=UtcDateTime())


@cache
def bulk(*, suspects: bool, on_sqlite: bool) -> Update:
    """Claims from one issue's line, behind a place in it."""
    status = select(Issue.status).where(Issue.id == bindparam("issue")).scalar_subquery()
    place = tuple_(bindparam("after_at", type_=UtcDateTime()), bindparam("after_id", type_=ID_TYPE))
    newsletter = bindparam("newsletter", type_=ID_TYPE)
    due = (
        select(
            Delivery.id,
            _outcome(_reads(), is_cancelled=status == IssueStatus.CANCELLED).label("outcome"),
            Subscriber.address.label("address"),
            Subscriber.name.label("name"),
        )
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(
            Subscription,
            and_(Subscription.subscriber_id == Delivery.subscriber_id, Subscription.newsletter_id == newsletter),
        )
        .where(Delivery.letter_id == bindparam("letter"), undecided(Priority.BULK))
        .where(tuple_(Delivery.due_at, Delivery.id) > place)
        .where(Delivery.due_at <= bindparam("horizon", type_=UtcDateTime()))
        .where(status.in_(LEAVING))
    )
    return _take(due, suspects=suspects, on_sqlite=on_sqlite)


@cache
def urgent(*, suspects: bool, on_sqlite: bool) -> Update:
    """Claims from the line of urgent letters; what each kind needs from its reader differs."""
    needs = case(
        (Letter.kind == LetterKind.TEST, Delivery.recipient.is_not(None)),
        (Letter.kind == LetterKind.CONFIRMATION, _asked()),
        else_=_reads(),
    )
    due = (
        select(
            Delivery.id,
            _outcome(needs, is_cancelled=Issue.status == IssueStatus.CANCELLED).label("outcome"),
            func.coalesce(Delivery.recipient, Subscriber.address).label("address"),
            Subscriber.name.label("name"),
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Issue, Issue.id == Letter.issue_id)
        .outerjoin(Signup, Signup.id == Letter.signup_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Delivery.subscriber_id,
                Subscription.newsletter_id == Letter.newsletter_id,
            ),
        )
        .where(undecided(Priority.URGENT))
        .where(or_(Delivery.due_at <= _NOW, Delivery.due_at <= Letter.written_at))
        .where(or_(Letter.issue_id.is_(None), Issue.status.in_(LEAVING)))
    )
    return _take(due, suspects=suspects, on_sqlite=on_sqlite)


def _take(due: Select[*tuple[Any, ...]], *, suspects: bool, on_sqlite: bool) -> Update:
    """Take these, in the order of their line. Bound when it is executed: what `_Taker` gives, and `limit`."""
    dead = Delivery.deaths >= DEATHS if suspects else Delivery.deaths < DEATHS
    taken = (
        due.where(stands(*WAITING), dead)
        .order_by(Delivery.due_at, Delivery.id)
        .limit(bindparam("limit", type_=Integer()))
        .with_for_update(of=Delivery, skip_locked=True)
        .cte("due")
    )
    row = DELIVERIES.c
    reader: tuple[ColumnElement[Any], ...] = (taken.c.address, taken.c.name)
    if on_sqlite:  # its RETURNING knows the updated table only
        of_row = select(Subscriber.address, Subscriber.name).where(Subscriber.id == row.subscriber_id)
        reader = tuple(of_row.with_only_columns(column).scalar_subquery() for column in of_row.selected_columns)
    return (
        update(DELIVERIES)
        .where(row.id == taken.c.id)
        .values(
            status=taken.c.outcome,
            carrier_id=bindparam("carrier"),
            attempt=row.attempt + 1,
            first_tried_at=func.coalesce(row.first_tried_at, _NOW),
            key_id=func.coalesce(row.key_id, bindparam("key_now")),
            decided_at=case((taken.c.outcome == DeliveryStatus.CLAIMED, None), else_=_NOW),
        )
        .returning(
            row.due_at,
            row.id,
            type_coerce(row.status, String),
            row.attempt,
            row.variant_id,
            reader[0],
            row.first_tried_at,
            row.key_id,
            row.subscriber_id,
            reader[1],
        )
    )


def _outcome(permitted: ColumnElement[bool], *, is_cancelled: ColumnElement[bool]) -> ColumnElement[DeliveryStatus]:
    """What becomes of a due delivery: it is claimed, or it ends."""
    return case(
        (and_(func.coalesce(is_cancelled, False).is_(False), permitted), DeliveryStatus.CLAIMED),
        else_=not_sent(case((is_cancelled, DeliveryStatus.CANCELLED), else_=DeliveryStatus.WITHHELD)),
    )


def _asked() -> ColumnElement[bool]:
    """What a confirmation needs: somebody asked for it lately, and did not say never."""
    return and_(
        Subscriber.address.is_not(None),
        Signup.state == SignupState.ASKED,
        Signup.received_at > bindparam("signups_since", type_=UtcDateTime()),
        func.coalesce(Subscriber.suppressed, "") != Reason.NEVER,
    )


def _reads() -> ColumnElement[bool]:
    """What an issue needs: a reader of today (GDPR Art. 7(3): a withdrawal counts from its commit on)."""
    return and_(
        Subscriber.address.is_not(None),
        Subscription.standing == Standing.SUBSCRIBED,
        Subscriber.suppressed.is_(None),
        or_(Subscription.paused_until.is_(None), Subscription.paused_until <= _NOW),
    )
