"""Claiming: taking due deliveries for one carrier, with the consent checked again in the same statement.

Urgent letters stand in one line. An issue's stand in a line of its own, so that those of a paused one, however many,
are never walked past. A letter that was not put off is due whatever the clock says: one that steps back delays none.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from newsletter.consent.signups import LINK_LIFETIME, Signup
from newsletter.consent.subscribers import Subscriber
from newsletter.content.issues import Issue
from newsletter.mail.delivery import claim_statement, leases
from newsletter.mail.delivery.cursors import Cursor, Cursors
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.letters.letters import Letter, Priority
from newsletter.newsletters import Newsletter

MOST = 500  # rows in one statement
PATIENCE = 20  # statements that may find nobody to write to before the claim gives up for now

# A claim goes by the order of its index, reader by reader, whatever PostgreSQL believes of the table. It plans by its
# last look at it: where few waited then, because the last issue had nearly left, reading and sorting all who wait seems
# cheap, and is done for each claim of the next issue. And a connection would keep the plan of a small table.
_PLAN = select(
    *(
        func.set_config(setting, value, True)
        for setting, value in {
            "plan_cache_mode": "force_custom_plan",
            "enable_sort": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "jit": "off",
        }.items()
    )
)


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
    cursors: Cursors | None = None,
) -> list[Claimed]:
    """Take up to `limit` (at most 500) due deliveries, the longest due of a line first; none if nothing is due.

    Whoever left, paused or is not to be written to is withheld in the same statement, so consent is as fresh as the
    claim; what is left of a cancelled issue is cancelled. Deliveries of an issue that is paused stay queued. Date and
    key are fixed at the first claim. A carrier that was taken for dead gets nothing until it has beaten again.
    """
    if not leases.has_lease(session, carrier):
        return []
    taker = _Taker(session, carrier, key=key, now=now, cursors=cursors or Cursors())
    return taker.urgent(min(limit, MOST)) if urgent else taker.bulk(min(limit, MOST))


def claim_suspect(session: Session, carrier: int, *, urgent: bool, key: str, now: datetime) -> list[Claimed]:
    """Take one letter that three carriers did not survive. Whoever takes it carries nothing else meanwhile."""
    if not leases.has_lease(session, carrier):
        return []
    taker = _Taker(session, carrier, key=key, now=now, cursors=Cursors(), suspects=True)
    return taker.urgent(1) if urgent else taker.bulk(1)


class _Taker:
    """One claim."""

    def __init__(
        self, session: Session, carrier: int, *, key: str, now: datetime, cursors: Cursors, suspects: bool = False
    ) -> None:
        self._session = session
        self._given = {"carrier": carrier, "key_now": key, "now": now}
        self._now = now
        self._bookmarks = cursors
        self._suspects = suspects
        self._is_on_sqlite = session.get_bind().dialect.name == "sqlite"
        self._is_planned = self._is_on_sqlite  # which has no such settings

    def urgent(self, limit: int) -> list[Claimed]:
        for _ in range(PATIENCE):
            taken = self._take(claim_statement.urgent, limit=limit, signups_since=self._now - LINK_LIFETIME)
            claimed = [
                row[claim_statement.ID] for row in taken if row[claim_statement.STATUS] == DeliveryStatus.CLAIMED
            ]
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
                claim_statement.bulk,
                limit=limit,
                letter=line.letter,
                issue=line.issue,
                newsletter=line.same[0],
                horizon=max(self._now, line.written_at),
                after_at=place.due_at,
                after_id=place.delivery,
            )
            if taken:
                self._bookmarks.found(line.letter, Cursor(*taken[-1][: claim_statement.ID + 1]), behind=place)
            elif self._bookmarks.found_nothing(line.letter, behind=place, since=since):
                break
            if claimed := [
                _claimed(line, row) for row in taken if row[claim_statement.STATUS] == DeliveryStatus.CLAIMED
            ]:
                return claimed
        return []

    def _take(self, statement: Any, **given: Any) -> list[tuple[Any, ...]]:
        """What the due deliveries became, in the order of their line: by when they were due, and their ids."""
        if not self._is_planned:
            self._session.execute(_PLAN)
            self._is_planned = True
        take = statement(suspects=self._suspects, on_sqlite=self._is_on_sqlite)
        return sorted(map(tuple, self._session.execute(take, self._given | given).all()))


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
        .where(Issue.status.in_(claim_statement.LEAVING), Letter.priority == Priority.BULK)
    )
    return [Line(row[0], row[1], row[2], (row[3], row[4], row[5], row[6])) for row in session.execute(rows)]


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
