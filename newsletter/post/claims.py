"""Claiming: taking due deliveries for one carrier, with the consent checked again in the same statement.

Urgent letters stand in one line. An issue's stand in a line of its own, so that those of a paused one, however many,
are never walked past. A letter that was not put off is due whatever the clock says: one that steps back delays none.
"""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

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
    text,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from newsletter.consent.signups import VALID, Signup, State
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.suppressions import Reason
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.database import Moment, type_of_key
from newsletter.newsletters import Newsletter
from newsletter.post import carriers
from newsletter.post.bookmarks import Bookmarks, Place
from newsletter.post.deliveries import DEATHS, DELIVERIES, WAITING, Delivery, Status, stands, undecided
from newsletter.post.letters import Kind, Letter, Priority

MOST = 500  # rows in one statement
PATIENCE = 20  # statements that may find nobody to write to before the claim gives up for now
LEAVING = (IssueStatus.SENDING, IssueStatus.CANCELLED)  # issues whose letters are decided, by whatever became of them

_NOW = bindparam("now", type_=Moment())
_ID, _STATUS = 1, 2  # where they are among what a claim returns
_PLAN_ANEW = text("SET LOCAL plan_cache_mode = force_custom_plan")


class Claimed(NamedTuple):
    """A delivery in a carrier's hands, with all that its parcel is made of but the letter itself."""

    delivery: int
    attempt: int
    variant: int
    address: str
    first_tried_at: datetime
    key_id: str
    newsletter: int
    sender: str
    return_path_domain: str | None
    zone: str
    subscriber: int | None
    signup: int | None
    nonce: int | None
    asked_at: datetime | None
    name: str | None
    issue: int | None = None


class Line(NamedTuple):
    """An issue's letters, and what is the same for all of them."""

    letter: int
    written_at: datetime
    issue: int
    same: tuple[int, str, str | None, str]  # the newsletter's id, sender, return path's domain and zone


def claim(
    session: Session,
    carrier: int,
    *,
    limit: int,
    urgent: bool,
    key: str,
    now: datetime,
    bookmarks: Bookmarks | None = None,
) -> list[Claimed]:
    """Take up to `limit` (at most 500) due deliveries, the longest due of a line first; none if nothing is due.

    Whoever left, paused or is not to be written to is withheld in the same statement, so consent is as fresh as the
    claim; what is left of a cancelled issue is cancelled. Deliveries of an issue that is paused stay queued. Date and
    key are fixed at the first claim. A carrier that was taken for dead gets nothing until it has beaten again.
    """
    if not carriers.lives(session, carrier):
        return []
    taker = _Taker(session, carrier, key=key, now=now, bookmarks=bookmarks or Bookmarks())
    return taker.urgent(min(limit, MOST)) if urgent else taker.bulk(min(limit, MOST))


def claim_suspect(session: Session, carrier: int, *, urgent: bool, key: str, now: datetime) -> list[Claimed]:
    """Take one letter that three carriers did not survive. Whoever takes it carries nothing else meanwhile."""
    if not carriers.lives(session, carrier):
        return []
    taker = _Taker(session, carrier, key=key, now=now, bookmarks=Bookmarks(), suspects=True)
    return taker.urgent(1) if urgent else taker.bulk(1)


class _Taker:
    """One claim."""

    def __init__(
        self, session: Session, carrier: int, *, key: str, now: datetime, bookmarks: Bookmarks, suspects: bool = False
    ) -> None:
        self._session = session
        self._given = {"carrier": carrier, "key_now": key, "now": now}
        self._now = now
        self._bookmarks = bookmarks
        self._suspects = suspects
        self._is_on_sqlite = session.get_bind().dialect.name == "sqlite"
        self._plans_anew = self._is_on_sqlite  # which has no plans for any number of rows

    def urgent(self, limit: int) -> list[Claimed]:
        for _ in range(PATIENCE):
            taken = self._take(_urgent, limit=limit, signups_since=self._now - VALID)
            claimed = [row[_ID] for row in taken if row[_STATUS] == Status.CLAIMED]
            if claimed or not taken:
                return details(self._session, Delivery.id.in_(claimed)) if claimed else []
        return []

    def bulk(self, limit: int) -> list[Claimed]:
        """From one line after the other, beginning with the one whose turn it is."""
        leaving = {line.letter: line for line in lines(self._session)}
        claimed: list[Claimed] = []
        for letter in self._bookmarks.turns(leaving):
            claimed += self._from(leaving[letter], limit - len(claimed))
            if len(claimed) >= limit:
                break
        return claimed

    def _from(self, line: Line, limit: int) -> list[Claimed]:
        for _ in range(PATIENCE):
            since, place = self._bookmarks.ticks(), self._bookmarks.place(line.letter)
            taken = self._take(
                _bulk,
                limit=limit,
                letter=line.letter,
                issue=line.issue,
                newsletter=line.same[0],
                horizon=max(self._now, line.written_at),
                after_at=place.due_at,
                after_id=place.delivery,
            )
            if taken:
                self._bookmarks.found(line.letter, Place(*taken[-1][: _ID + 1]), behind=place)
            elif self._bookmarks.found_nothing(line.letter, behind=place, since=since):
                break
            if claimed := [_claimed(line, row) for row in taken if row[_STATUS] == Status.CLAIMED]:
                return claimed
        return []

    def _take(self, statement: Any, **given: Any) -> list[tuple[Any, ...]]:
        """What the due deliveries became, in the order of their line: by when they were due, and their ids."""
        if not self._plans_anew:
            # PostgreSQL would keep a plan that was good when the table was small.
            self._session.execute(_PLAN_ANEW)
            self._plans_anew = True
        take = statement(suspects=self._suspects, on_sqlite=self._is_on_sqlite)
        return sorted(map(tuple, self._session.execute(take, self._given | given)))


def _claimed(line: Line, row: tuple[Any, ...]) -> Claimed:
    # Once for each letter that ever leaves: taking the row apart costs a third of naming its fields.
    _, delivery, _, attempt, variant, address, first_tried_at, key, subscriber, name = row
    reader = (subscriber, None, None, None, name)
    return Claimed(delivery, attempt, variant, address, first_tried_at, key, *line.same, *reader, line.issue)


def lines(session: Session) -> list[Line]:
    """The letters of issues that may leave."""
    rows = (
        select(
            Letter.id,
            Letter.written_at,
            Issue.id,
            Letter.newsletter_id,
            Newsletter.sender,
            Newsletter.return_path_domain,
            Newsletter.zone,
        )
        .join(Issue, Issue.id == Letter.issue_id)
        .join(Newsletter, Newsletter.id == Letter.newsletter_id)
        .where(Issue.status.in_(LEAVING), Letter.priority == Priority.BULK)
    )
    return [Line(row[0], row[1], row[2], (row[3], row[4], row[5], row[6])) for row in session.execute(rows)]


@cache
def _bulk(*, suspects: bool, on_sqlite: bool) -> Update:
    """Claims from one issue's line, behind a place in it."""
    status = select(Issue.status).where(Issue.id == bindparam("issue")).scalar_subquery()
    place = tuple_(bindparam("after_at", type_=Moment()), bindparam("after_id", type_=type_of_key))
    newsletter = bindparam("newsletter", type_=type_of_key)
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
        .where(Delivery.due_at <= bindparam("horizon", type_=Moment()))
        .where(status.in_(LEAVING))
    )
    return _take(due, suspects=suspects, on_sqlite=on_sqlite)


@cache
def _urgent(*, suspects: bool, on_sqlite: bool) -> Update:
    """Claims from the line of urgent letters; what each kind needs from its reader differs."""
    needs = case(
        (Letter.kind == Kind.TEST, Delivery.recipient.is_not(None)),
        (Letter.kind == Kind.CONFIRMATION, _asked()),
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
            decided_at=case((taken.c.outcome == Status.CLAIMED, None), else_=_NOW),
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


def _outcome(permitted: ColumnElement[bool], *, is_cancelled: ColumnElement[bool]) -> ColumnElement[Status]:
    """What becomes of a due delivery: one that may have arrived is never called withheld, for that could be a lie."""
    return case(
        (and_(func.coalesce(is_cancelled, False).is_(False), permitted), Status.CLAIMED),
        (Delivery.doubts > 0, Status.UNKNOWN),
        (is_cancelled, Status.CANCELLED),
        else_=Status.WITHHELD,
    )


def _asked() -> ColumnElement[bool]:
    """What a confirmation needs: somebody asked for it lately, and did not say never."""
    return and_(
        Subscriber.address.is_not(None),
        Signup.state == State.ASKED,
        Signup.received_at > bindparam("signups_since", type_=Moment()),
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


def details(session: Session, *which: ColumnElement[bool]) -> list[Claimed]:
    """What the parcels of such deliveries are made of. They were claimed before: that fixed their Date and key."""
    rows = (
        select(
            Delivery.id,
            Delivery.attempt,
            Delivery.variant_id,
            func.coalesce(Delivery.recipient, Subscriber.address),
            Delivery.first_tried_at,
            Delivery.key_id,
            Letter.newsletter_id,
            Newsletter.sender,
            Newsletter.return_path_domain,
            Newsletter.zone,
            Delivery.subscriber_id,
            Letter.signup_id,
            Signup.nonce,
            Signup.received_at,
            Subscriber.name,
            Letter.issue_id,
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .join(Newsletter, Newsletter.id == Letter.newsletter_id)
        .outerjoin(Signup, Signup.id == Letter.signup_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*which)
        .order_by(Delivery.due_at, Delivery.id)
    )
    return [Claimed._make(row) for row in session.execute(rows)]
