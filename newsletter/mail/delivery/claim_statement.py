"""The claim statement: it claims due deliveries and checks the consent to each for the last time.

It is built once per process. For each delivery it returns, in this order: due time, id, status, attempt, variant,
address, time of the first attempt, key of the links, subscriber and name.
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

from newsletter.consent.signups.signups import Signup, SignupState, letter_owed_at
from newsletter.consent.subscribers.address_changes import AddressChange, AddressChangeState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import (
    DELIVERIES,
    SUSPECT_DEATHS,
    WAITING,
    Delivery,
    DeliveryStatus,
    has_status,
    not_sent,
    undecided,
)
from newsletter.mail.letters.letters import Letter, LetterKind, Priority, is_kind
from newsletter.store.database import ID_TYPE, UtcDateTime

CLAIMABLE_ISSUES = (IssueStatus.SENDING, IssueStatus.CANCELLED)  # the letters of the second are cancelled by the claim
ID, STATUS = 1, 2  # indexes in a returned row

_NOW = bindparam("now", type_=UtcDateTime())


@cache
def bulk(*, suspects: bool, on_sqlite: bool) -> Update:
    """Return the statement that claims from one issue's queue, after a cursor."""
    status = select(Issue.status).where(Issue.id == bindparam("issue")).scalar_subquery()
    cursor = tuple_(bindparam("after_at", type_=UtcDateTime()), bindparam("after_id", type_=ID_TYPE))
    newsletter = bindparam("newsletter", type_=ID_TYPE)
    due = (
        select(
            Delivery.id,
            _next_status(_is_reader(), is_cancelled=status == IssueStatus.CANCELLED).label("next_status"),
            Subscriber.address.label("address"),
            Subscriber.name.label("name"),
        )
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(
            Subscription,
            and_(Subscription.subscriber_id == Delivery.subscriber_id, Subscription.newsletter_id == newsletter),
        )
        .where(Delivery.letter_id == bindparam("letter"), undecided(Priority.BULK))
        .where(tuple_(Delivery.due_at, Delivery.id) > cursor)
        .where(Delivery.due_at <= bindparam("horizon", type_=UtcDateTime()))
        .where(status.in_(CLAIMABLE_ISSUES))
    )
    return _claim(due, suspects=suspects, on_sqlite=on_sqlite)


@cache
def urgent(*, suspects: bool, on_sqlite: bool, priority: Priority = Priority.URGENT) -> Update:
    """Return the statement that claims urgent letters, or those of SOON; each kind requires something else."""
    is_permitted = case(
        (Letter.kind == LetterKind.TEST, Delivery.recipient.is_not(None)),
        (Letter.kind == LetterKind.CONFIRMATION, _awaits_confirmation()),
        (is_kind(LetterKind.ADDRESS), _changes_address()),
        (is_kind(LetterKind.WELCOME), _is_new()),
        (Letter.kind == LetterKind.LINK, _has_asked()),
        (Letter.issue_id.is_(None), _subscribes()),  # a link, which a reader who pauses may want as well
        else_=_is_reader(),
    )
    due = (
        select(
            Delivery.id,
            _next_status(is_permitted, is_cancelled=Issue.status == IssueStatus.CANCELLED).label("next_status"),
            func.coalesce(Delivery.recipient, Subscriber.address).label("address"),
            Subscriber.name.label("name"),
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Issue, Issue.id == Letter.issue_id)
        .outerjoin(Signup, Signup.id == Letter.signup_id)
        .outerjoin(AddressChange, AddressChange.id == Letter.address_change_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Delivery.subscriber_id,
                # The sum matches no index, so PostgreSQL finds the row by its key. Where statistics are old, it would
                # read all subscriptions of the newsletter for each letter.
                Subscription.newsletter_id + 0 == Letter.newsletter_id,
            ),
        )
        .where(undecided(priority))
        .where(or_(Delivery.due_at <= _NOW, Delivery.due_at <= Letter.written_at))
        .where(or_(Letter.issue_id.is_(None), Issue.status.in_(CLAIMABLE_ISSUES)))
    )
    return _claim(due, suspects=suspects, on_sqlite=on_sqlite)


def _claim(due: Select[*tuple[Any, ...]], *, suspects: bool, on_sqlite: bool) -> Update:
    """Return the UPDATE of the first due deliveries in their order; `claims._Claimer` binds its parameters."""
    is_wanted = Delivery.deaths >= SUSPECT_DEATHS if suspects else Delivery.deaths < SUSPECT_DEATHS
    locked = (
        due.where(has_status(*WAITING), is_wanted)
        .order_by(Delivery.due_at, Delivery.id)
        .limit(bindparam("limit", type_=Integer()))
        .with_for_update(of=Delivery, skip_locked=True)
        .cte("due")
    )
    row = DELIVERIES.c
    reader: tuple[ColumnElement[Any], ...] = (locked.c.address, locked.c.name)
    if on_sqlite:  # its RETURNING can only use the updated table
        of_row = select(Subscriber.address, Subscriber.name).where(Subscriber.id == row.subscriber_id)
        reader = tuple(of_row.with_only_columns(column).scalar_subquery() for column in of_row.selected_columns)
    return (
        update(DELIVERIES)
        .where(row.id == locked.c.id)
        .values(
            status=locked.c.next_status,
            carrier_id=bindparam("worker"),
            attempt=row.attempt + 1,
            first_tried_at=func.coalesce(row.first_tried_at, _NOW),
            key_id=func.coalesce(row.key_id, bindparam("key_now")),
            decided_at=case((locked.c.next_status == DeliveryStatus.CLAIMED, None), else_=_NOW),
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


def _next_status(
    is_permitted: ColumnElement[bool], *, is_cancelled: ColumnElement[bool]
) -> ColumnElement[DeliveryStatus]:
    """Return the status that a due delivery gets: claimed, or a final one."""
    return case(
        (and_(func.coalesce(is_cancelled, False).is_(False), is_permitted), DeliveryStatus.CLAIMED),
        else_=not_sent(case((is_cancelled, DeliveryStatus.CANCELLED), else_=DeliveryStatus.WITHHELD)),
    )


def _awaits_confirmation() -> ColumnElement[bool]:
    """A confirmation requires a recent sign-up that awaits it, and no request never to be written to.

    An operator may have allowed one letter nevertheless.
    """
    return and_(
        Subscriber.address.is_not(None),
        Signup.state == SignupState.ASKED,
        letter_owed_at() > bindparam("signups_since", type_=UtcDateTime()),
        or_(func.coalesce(Subscriber.suppressed, "") != Reason.NEVER, Signup.lifts_suppression.is_(True)),
    )


def _changes_address() -> ColumnElement[bool]:
    """A letter about a change of address goes where it was addressed, until the change is void or its link has ended.

    One that the new address has confirmed is told to the old one, however late.
    """
    is_open = and_(
        AddressChange.state == AddressChangeState.ASKED,
        AddressChange.asked_at > bindparam("signups_since", type_=UtcDateTime()),
    )
    is_told = or_(is_open, AddressChange.state == AddressChangeState.CONFIRMED)
    return and_(Delivery.recipient.is_not(None), Subscriber.address.is_not(None), is_told)


def _has_asked() -> ColumnElement[bool]:
    """A link that a person asked for by the address requires no subscription: we may hold data without one."""
    return and_(Subscriber.address.is_not(None), Subscriber.suppressed.is_(None))


def _subscribes() -> ColumnElement[bool]:
    """A letter to a reader requires a present subscription (GDPR Art. 7(3): a withdrawal counts from its commit on)."""
    return and_(
        Subscriber.address.is_not(None),
        Subscription.standing == Standing.SUBSCRIBED,
        Subscriber.suppressed.is_(None),
    )


def _is_new() -> ColumnElement[bool]:
    """A welcome also requires that the reader has not left and come back since: there is another one for that."""
    return and_(_subscribes(), Subscription.since <= Letter.written_at)


def _is_reader() -> ColumnElement[bool]:
    """An issue also requires that the reader does not pause."""
    return and_(
        _subscribes(),
        or_(Subscription.paused_until.is_(None), Subscription.paused_until <= _NOW),
    )
