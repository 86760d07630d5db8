"""Doctor: proves that the books agree, and names each place where they do not. It reads only."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter import triggers
from newsletter.consent import ledger
from newsletter.consent.ledger import Entry
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.post.deliveries import OPEN, Delivery, Status, Tally
from newsletter.post.letters import Letter


class Finding(NamedTuple):
    """One thing that is wrong, and where."""

    about: str
    says: str


def examine(session: Session) -> list[Finding]:
    """Everything that is found wrong; nothing if the service is sound."""
    checks = (_triggers, _sums, _sent_issues, _decided, _standings, _leaves)
    return [finding for check in checks for finding in check(session)]


def _triggers(session: Session) -> Iterator[Finding]:
    for name in sorted(triggers.missing(session.connection())):
        yield Finding("database", f"the trigger {name} is missing; run: newsletter migrate")


def _sums(session: Session) -> Iterator[Finding]:
    """For each letter: audience = its deliveries in all states, those folded into tallies included."""
    rows = select(func.count()).where(Delivery.letter_id == Letter.id).scalar_subquery()
    folded = select(func.coalesce(func.sum(Tally.n), 0)).where(Tally.letter_id == Letter.id).scalar_subquery()
    wrong = select(Letter.occasion, Letter.audience, rows + folded).where(Letter.audience != rows + folded)
    for occasion, audience, found in session.execute(wrong.order_by(Letter.id)):
        yield Finding(f"letter {occasion}", f"its audience was {audience}, but {found} deliveries are accounted for")


def _sent_issues(session: Session) -> Iterator[Finding]:
    """An issue that is called sent owes nobody anything."""
    owed = exists().where(Letter.issue_id == Issue.id, Delivery.letter_id == Letter.id, Delivery.status.in_(OPEN))
    for number in session.scalars(select(Issue.id).where(Issue.status == IssueStatus.SENT, owed).order_by(Issue.id)):
        yield Finding(f"issue {number}", "it is called sent, but some of its deliveries are not decided")


def _decided(session: Session) -> Iterator[Finding]:
    """A decided delivery says when it was; a claimed one says by whom."""
    undated = select(Delivery.id).where(
        Delivery.status.in_([status for status in Status if status not in OPEN]), Delivery.decided_at.is_(None)
    )
    for number in session.scalars(undated):
        yield Finding(f"delivery {number}", "it is decided, but not when")
    nobodys = select(Delivery.id).where(Delivery.status == Status.CLAIMED, Delivery.carrier_id.is_(None))
    for number in session.scalars(nobodys):
        yield Finding(f"delivery {number}", "it is claimed, but by nobody")


def _standings(session: Session) -> Iterator[Finding]:
    """The derived subscriptions are what the ledger comes to."""
    derived = {
        (row.subscriber_id, row.newsletter_id): row.standing
        for row in session.execute(
            select(Subscription.subscriber_id, Subscription.newsletter_id, Subscription.standing)
        )
    }
    entries = session.execute(
        select(Subscriber.id, Entry.newsletter_id, Entry.event)
        .join(Subscriber, Subscriber.subject == Entry.subject)
        .where(Entry.newsletter_id.is_not(None))
        .order_by(Subscriber.id, Entry.newsletter_id, Entry.ordinal)
    )
    told: dict[tuple[int, int | None], Standing] = {}
    for key, group in groupby(entries, key=lambda row: (row[0], row[1])):
        if today := ledger.standing(event for _, _, event in group):
            told[key] = today
    for subscriber, newsletter in sorted({*derived, *told}, key=str):
        row, fact = derived.get((subscriber, newsletter or 0)), told.get((subscriber, newsletter))
        if row != fact:
            yield Finding(
                f"subscriber {subscriber}, newsletter {newsletter}",
                f"the subscription says {row or 'nothing'}, the ledger {fact or 'nothing'}",
            )


def _leaves(session: Session) -> Iterator[Finding]:
    """Every ledger entry still has the leaf hash that it was written with."""
    for entry in session.scalars(select(Entry).order_by(Entry.id).execution_options(yield_per=1000)):
        if ledger.leaf(entry) != entry.leaf:
            yield Finding(f"ledger entry {entry.id}", "it was changed after it was written: its leaf does not fit")
