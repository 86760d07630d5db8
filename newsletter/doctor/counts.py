"""The census: what there is of everything, counted for whoever watches over the service.

The database is the record, so every process that counts comes to the same, and a restart loses nothing. What is counted
are rows that exist: all but the ledger's entries may become fewer when they have had their time.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import product
from typing import NamedTuple, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter.consent.ledger import Event, LedgerEntry
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscription
from newsletter.content.articles import Article
from newsletter.content.feeds import Feed
from newsletter.content.issues import Issue, IssueStatus
from newsletter.doctor import queue_age
from newsletter.doctor.queue_age import QueueAge
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, Tally
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.mail.pace import notices
from newsletter.newsletters import Newsletter
from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class Letters:
    """Deliveries by what they are written for and where they stand, and what carrying them has taken."""

    states: Mapping[tuple[LetterKind, DeliveryStatus], int]  # with those that are folded into tallies
    claims: int
    replies: Mapping[int | None, int]  # by the first digit of the last reply's code; None: no reply yet


class Feeds(NamedTuple):
    """How the feeds are. `due_since` is when the one became due that waits longest to be asked."""

    ok: int
    failing: int
    due: int
    due_since: datetime | None


@dataclass(frozen=True)
class Counts:
    """Everything, as one reader of the database saw it at one moment."""

    letters: Letters
    backlog: QueueAge
    signups: Mapping[SignupState, int]
    events: Mapping[Event, int]
    subscriptions: Mapping[tuple[str, Standing], int]  # by the newsletter's slug
    feeds: Feeds
    articles: int
    issues: Mapping[IssueStatus, int]
    tick: datetime | None
    relays: Mapping[tuple[str, str], int]  # by place and how: what workers say at present of what is wrong


def count(session: Session, *, now: datetime) -> Counts:
    """Count everything; what can be named is, also where it is none. One statement of ten reads all deliveries."""
    return Counts(
        letters=_letters(session),
        backlog=queue_age.owed(session, now=now),
        signups=_by(session, Signup.state, SignupState),
        events=_by(session, LedgerEntry.event, Event),
        subscriptions=_subscriptions(session),
        feeds=_feeds(session, now),
        articles=session.scalar(select(func.count()).select_from(Article)) or 0,
        issues=_by(session, Issue.status, IssueStatus),
        tick=heartbeats.last(session, Queue.UPKEEP),
        relays={(said.place, said.severity): 1 for said in notices.current(session, now=now)},
    )


def _by(session: Session, column: InstrumentedAttribute[E], names: type[E]) -> dict[E, int]:
    rows = session.execute(select(column, func.count()).group_by(column))
    return dict.fromkeys(names, 0) | dict(rows.all())


def _letters(session: Session) -> Letters:
    """One look at each delivery; there may be millions."""
    first = Delivery.reply_code // 100
    rows = select(Letter.kind, Delivery.status, first, func.count(), func.sum(Delivery.attempt))
    folded = select(Letter.kind, Tally.status, func.sum(Tally.n)).join(Letter, Letter.id == Tally.letter_id)
    states: Counter[tuple[LetterKind, DeliveryStatus]] = Counter(dict.fromkeys(product(LetterKind, DeliveryStatus), 0))
    replies: Counter[int | None] = Counter()
    claims = 0
    grouped = rows.join(Letter, Letter.id == Delivery.letter_id).group_by(Letter.kind, Delivery.status, first)
    for kind, status, digit, number, attempts in session.execute(grouped):
        states[kind, status] += number
        replies[digit] += number
        claims += int(attempts)
    for kind, status, number in session.execute(folded.group_by(Letter.kind, Tally.status)):
        states[kind, status] += int(number)
    return Letters(states, claims, replies)


def _subscriptions(session: Session) -> dict[tuple[str, Standing], int]:
    """Counted by number first: so the index is enough, and only its few groups are given their newsletters' names."""
    newsletter, standing = Subscription.newsletter_id, Subscription.standing
    rows = session.execute(select(newsletter, standing, func.count()).group_by(newsletter, standing))
    slugs = dict(session.execute(select(Newsletter.id, Newsletter.slug)).all())
    counts = dict.fromkeys(product(slugs.values(), Standing), 0)
    return counts | {(slugs[number], stands): n for number, stands, n in rows}


def _feeds(session: Session, now: datetime) -> Feeds:
    failing, due = Feed.failures > 0, Feed.next_try_at <= now
    row = session.execute(
        select(
            func.count().filter(~failing),
            func.count().filter(failing),
            func.count().filter(due),
            func.min(Feed.next_try_at).filter(due),
        ).select_from(Feed)
    ).one()
    return Feeds._make(row)
