"""Claim due deliveries for one worker; the same statement checks consent again.

All urgent letters share one queue. Each issue has a queue of its own, so that a claim never reads through the letters
of a paused issue, however many they are. A letter that was not deferred is due whatever the clock says: a clock set
back delays no delivery.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, exists, func, select
from sqlalchemy.orm import Session

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import Signup, letter_owed_at
from newsletter.consent.subscribers.address_changes import AddressChange
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.content.issues.issues import Issue
from newsletter.mail.delivery import claim_statement, leases
from newsletter.mail.delivery.cursors import Cursor, Cursors
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, undecided
from newsletter.mail.letters.letters import Letter, Priority
from newsletter.newsletters import Newsletter
from newsletter.store.database import is_on_sqlite

MAX_ROWS = 500  # in one statement
MAX_SOON_ROWS = 4  # of letters that follow the urgent ones: an urgent one that comes meanwhile waits for these
MAX_FRUITLESS_STATEMENTS = 20  # that only end deliveries, after which a claim gives up for now

# Make PostgreSQL read the index in order, whatever its statistics say. If they date from the end of an issue, few rows
# waited then: reading and sorting all waiting rows seems cheap, and would be done for each claim of the next issue. And
# a connection would keep the plan it made when the table was small.
_PLANNER_SETTINGS = select(
    *(
        func.set_config(setting, value, True)
        for setting, value in {
            "plan_cache_mode": "force_custom_plan",
            "enable_seqscan": "off",
            "enable_sort": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "jit": "off",
        }.items()
    )
)


class Claimed(NamedTuple):
    """A claimed delivery, with everything that its message is assembled from except the stored letter."""

    delivery: int
    attempt: int
    variant: int
    address: str
    first_tried_at: datetime
    key_id: str
    newsletter: int | None  # None: the service itself writes, to an operator
    sender: str
    return_path_domain: str | None
    zone: str
    subscriber: int | None
    signup: int | None
    nonce: int | None
    received_at: datetime | None  # the form of the sign-up, or of the change of address
    asked_at: datetime | None  # the time from which its link lives
    name: str | None
    issue: int | None = None
    operator_link: int | None = None
    address_change: int | None = None
    change_nonce: int | None = None
    asked_for: Sequence[int] | None = None  # the newsletters of the sign-up
    signup_language: str | None = None


class IssueQueue(NamedTuple):
    """The waiting deliveries of an issue, and what is the same for all of them."""

    letter: int
    written_at: datetime
    issue: int
    newsletter: tuple[int, str, str | None, str]  # its id, sender, return path domain and time zone


def claim(
    session: Session,
    worker: int,
    *,
    limit: int,
    urgent: bool,
    key: str,
    now: datetime,
    cursors: Cursors | None = None,
) -> list[Claimed]:
    """Claim and return up to `limit` (at most 500) due deliveries, the longest due of each queue first.

    The same statement withholds the letters of readers who left, paused or must not be written to, so consent is as
    fresh as the claim; it cancels the remaining letters of a cancelled issue. The letters of a paused issue stay
    queued. The first claim fixes a letter's Date and key. A worker whose lease ended gets nothing until its next
    heartbeat.
    """
    lease = _lease(session, worker, now=now)
    if lease is None:
        return []
    claimer = _Claimer(session, worker, key=key, now=now, cursors=cursors or Cursors())
    limit = min(limit, MAX_ROWS)
    return claimer.urgent(limit, has_soon=lease.has_soon) if urgent else claimer.bulk(limit)


def claim_suspect(session: Session, worker: int, *, urgent: bool, key: str, now: datetime) -> list[Claimed]:
    """Claim and return one letter that several workers held when they stopped; it must be sent alone."""
    lease = _lease(session, worker, now=now)
    if lease is None:
        return []
    claimer = _Claimer(session, worker, key=key, now=now, cursors=Cursors(), suspects=True)
    return claimer.urgent(1, has_soon=lease.has_soon) if urgent else claimer.bulk(1)


def _lease(session: Session, worker: int, *, now: datetime) -> Row[Any] | None:
    """Return the worker's lease, and in the same statement whether letters that are sent soon are due."""
    soon = exists().where(undecided(Priority.SOON), Delivery.due_at <= now)
    return session.execute(leases.lease(worker).add_columns(soon.label("has_soon"))).first()


class _Claimer:
    """Executes the claim statement for one claim."""

    def __init__(
        self, session: Session, worker: int, *, key: str, now: datetime, cursors: Cursors, suspects: bool = False
    ) -> None:
        self._session = session
        self._parameters = {"worker": worker, "key_now": key, "now": now}
        self._now = now
        self._cursors = cursors
        self._suspects = suspects
        self._is_on_sqlite = is_on_sqlite(session)
        self._is_configured = self._is_on_sqlite  # SQLite has no planner settings

    def urgent(self, limit: int, *, has_soon: bool) -> list[Claimed]:
        """Claim urgent letters; if none is due, a few of those that are sent soon."""
        claimed = self._urgent(Priority.URGENT, limit)
        return claimed or (self._urgent(Priority.SOON, min(limit, MAX_SOON_ROWS)) if has_soon else [])

    def _urgent(self, priority: Priority, limit: int) -> list[Claimed]:
        statement = partial(claim_statement.urgent, priority=priority)
        for _ in range(MAX_FRUITLESS_STATEMENTS):
            rows = self._execute(statement, limit=limit, signups_since=self._now - LINK_LIFETIME)
            claimed = [row[claim_statement.ID] for row in rows if _is_claimed(row)]
            if claimed or not rows:
                return read_claimed(self._session, Delivery.id.in_(claimed)) if claimed else []
        return []

    def bulk(self, limit: int) -> list[Claimed]:
        """Claim from one issue after the other, beginning with the one whose turn it is."""
        queues = {queue.letter: queue for queue in issue_queues(self._session)}
        claimed: list[Claimed] = []
        for letter in self._cursors.order(queues):
            claimed += self._from(queues[letter], limit - len(claimed))
            if len(claimed) >= limit:
                break
        return claimed

    def _from(self, queue: IssueQueue, limit: int) -> list[Claimed]:
        for _ in range(MAX_FRUITLESS_STATEMENTS):
            since, cursor = self._cursors.monotonic(), self._cursors.cursor(queue.letter)
            rows = self._execute(
                claim_statement.bulk,
                limit=limit,
                letter=queue.letter,
                issue=queue.issue,
                newsletter=queue.newsletter[0],
                horizon=max(self._now, queue.written_at),
                after_at=cursor.due_at,
                after_id=cursor.delivery,
            )
            if rows:
                self._cursors.advance(queue.letter, Cursor(*rows[-1][: claim_statement.ID + 1]), after=cursor)
            elif self._cursors.found_nothing(queue.letter, after=cursor, since=since):
                break
            if claimed := [_claimed(queue, row) for row in rows if _is_claimed(row)]:
                return claimed
        return []

    def _execute(self, statement: Any, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of the statement in the order of their queue: by due time and id."""
        if not self._is_configured:
            self._session.execute(_PLANNER_SETTINGS)
            self._is_configured = True
        update = statement(suspects=self._suspects, on_sqlite=self._is_on_sqlite)
        return sorted(map(tuple, self._session.execute(update, self._parameters | parameters).all()))


def _is_claimed(row: tuple[Any, ...]) -> bool:
    return bool(row[claim_statement.STATUS] == DeliveryStatus.CLAIMED)


def _claimed(queue: IssueQueue, row: tuple[Any, ...]) -> Claimed:
    # This runs once for every letter: unpacking the row costs a third of accessing its fields by name.
    _, delivery, _, attempt, variant, address, first_tried_at, key, subscriber, name = row
    reader = (subscriber, None, None, None, None, name)
    return Claimed(delivery, attempt, variant, address, first_tried_at, key, *queue.newsletter, *reader, queue.issue)


def issue_queues(session: Session) -> list[IssueQueue]:
    """Return the queues of the issues whose letters may be claimed."""
    rows = (
        select(
            Letter.id,
            Letter.written_at,
            Issue.id,
            Newsletter.id,
            Newsletter.sender,
            Newsletter.return_path_domain,
            Newsletter.zone,
        )
        .join(Issue, Issue.id == Letter.issue_id)
        .join(Newsletter, Newsletter.id == Letter.newsletter_id)
        .where(Issue.status.in_(claim_statement.CLAIMABLE_ISSUES), Letter.priority == Priority.BULK)
    )
    return [IssueQueue(row[0], row[1], row[2], (row[3], row[4], row[5], row[6])) for row in session.execute(rows)]


def read_claimed(session: Session, *which: ColumnElement[bool]) -> list[Claimed]:
    """Return the deliveries that meet the conditions, as they were claimed.

    Each must have been claimed before, which fixed its Date and key.
    """
    rows = (
        select(
            Delivery.id,
            Delivery.attempt,
            Delivery.variant_id,
            func.coalesce(Delivery.recipient, Subscriber.address),
            Delivery.first_tried_at,
            Delivery.key_id,
            Letter.newsletter_id,
            func.coalesce(Letter.sender, Newsletter.sender),
            Newsletter.return_path_domain,
            func.coalesce(Newsletter.zone, "UTC"),
            Delivery.subscriber_id,
            Letter.signup_id,
            Signup.nonce,
            func.coalesce(Signup.received_at, AddressChange.asked_at),
            func.coalesce(letter_owed_at(), AddressChange.asked_at),
            Subscriber.name,
            Letter.issue_id,
            Letter.operator_link_id,
            Letter.address_change_id,
            AddressChange.nonce,
            Signup.newsletters,
            Signup.language,
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Newsletter, Newsletter.id == Letter.newsletter_id)
        .outerjoin(Signup, Signup.id == Letter.signup_id)
        .outerjoin(AddressChange, AddressChange.id == Letter.address_change_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*which)
        .order_by(Delivery.due_at, Delivery.id)
    )
    return [Claimed._make(row) for row in session.execute(rows)]
