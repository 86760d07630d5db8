"""Count all rows of the service for its metrics.

The counts come from the database, so every process reports the same and a restart loses nothing. Only existing rows are
counted: except for ledger entries, retention may reduce any count.
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

from newsletter.consent.ledger.ledger import Event, LedgerEntry
from newsletter.consent.limits import pressure
from newsletter.consent.limits.pressure import LAPSED, OVERALL
from newsletter.consent.signups import slow_lane
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.content.articles.articles import Article
from newsletter.content.feeds.feeds import ACTIVE, Feed
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import queue_age
from newsletter.doctor.queue_age import QueueAge
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, Tally
from newsletter.mail.letters.letters import Letter, LetterKind, actual_kind
from newsletter.mail.pace import notices
from newsletter.newsletters import Newsletter
from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class DeliveryCounts:
    """Deliveries by kind of letter and status, the attempts to send them and the replies."""

    states: Mapping[tuple[LetterKind, DeliveryStatus], int]  # including those in tallies
    claims: int
    replies: Mapping[int | None, int]  # by the first digit of the last reply's code; None: no reply yet


class FeedCounts(NamedTuple):
    """Feeds by health, without removed ones. `due_since` is the earliest time at which a waiting feed became due."""

    ok: int
    failing: int
    paused: int  # counted neither as ok nor as failing, and never due
    due: int
    due_since: datetime | None


class SignupPressure(NamedTuple):
    """The confirmation letters of the last hour, and the sign-ups that wait for their turn because of the limits."""

    letters: int
    waiting: int
    waiting_since: datetime | None
    lapsed: int  # in the last hour


@dataclass(frozen=True)
class Counts:
    """All counts, read in one transaction."""

    letters: DeliveryCounts
    queue_age: QueueAge
    pressure: SignupPressure
    signups: Mapping[SignupState, int]
    events: Mapping[Event, int]
    subscriptions: Mapping[tuple[str, Standing], int]  # by the newsletter's slug
    feeds: FeedCounts
    articles: int
    issues: Mapping[IssueStatus, int]
    last_heartbeat: datetime | None  # of the queue of upkeep
    relays: Mapping[tuple[str, str], int]  # by relay and severity: the current notices of workers


def count(session: Session, *, now: datetime) -> Counts:
    """Return all counts, with zero for each known name without rows. One of them reads all deliveries."""
    return Counts(
        letters=_letters(session),
        queue_age=queue_age.measure(session, now=now),
        pressure=_pressure(session, now),
        signups=_by(session, Signup.state, SignupState),
        events=_by(session, LedgerEntry.event, Event),
        subscriptions=_subscriptions(session),
        feeds=_feeds(session, now),
        articles=session.scalar(select(func.count()).select_from(Article)) or 0,
        issues=_by(session, Issue.status, IssueStatus),
        last_heartbeat=heartbeats.last(session, Queue.UPKEEP),
        relays={(notice.place, notice.severity): 1 for notice in notices.current(session, now=now)},
    )


def _by(session: Session, column: InstrumentedAttribute[E], names: type[E]) -> dict[E, int]:
    rows = session.execute(select(column, func.count()).group_by(column))
    return dict.fromkeys(names, 0) | dict(rows.all())


def _letters(session: Session) -> DeliveryCounts:
    """Count deliveries in one pass: there may be millions."""
    first_digit = Delivery.reply_code // 100
    letter_kind = actual_kind()
    rows = select(letter_kind, Delivery.status, first_digit, func.count(), func.sum(Delivery.attempt))
    tallies = select(letter_kind, Tally.status, func.sum(Tally.n)).join(Letter, Letter.id == Tally.letter_id)
    states: Counter[tuple[LetterKind, DeliveryStatus]] = Counter(dict.fromkeys(product(LetterKind, DeliveryStatus), 0))
    replies: Counter[int | None] = Counter()
    claims = 0
    grouped = rows.join(Letter, Letter.id == Delivery.letter_id).group_by(letter_kind, Delivery.status, first_digit)
    for kind, status, digit, number, attempts in session.execute(grouped):
        states[kind, status] += number
        replies[digit] += number
        claims += int(attempts)
    for kind, status, number in session.execute(tallies.group_by(letter_kind, Tally.status)):
        states[kind, status] += int(number)
    return DeliveryCounts(states, claims, replies)


def _pressure(session: Session, now: datetime) -> SignupPressure:
    letters = pressure.count(session, [OVERALL, LAPSED], now=now)
    waiting, since = slow_lane.waiting(session)
    return SignupPressure(letters[OVERALL], waiting, since, letters[LAPSED])


def _subscriptions(session: Session) -> dict[tuple[str, Standing], int]:
    """Count subscriptions by newsletter id, which needs only the index, and then replace the ids with slugs."""
    newsletter, standing = Subscription.newsletter_id, Subscription.standing
    rows = session.execute(select(newsletter, standing, func.count()).group_by(newsletter, standing))
    slugs = dict(session.execute(select(Newsletter.id, Newsletter.slug)).all())
    counts = dict.fromkeys(product(slugs.values(), Standing), 0)
    return counts | {(slugs[newsletter_id], stands): n for newsletter_id, stands, n in rows}


def _feeds(session: Session, now: datetime) -> FeedCounts:
    failing, due = Feed.failures > 0, ACTIVE & (Feed.next_try_at <= now)
    counted = select(
        func.count().filter(ACTIVE, ~failing),
        func.count().filter(ACTIVE, failing),
        func.count().filter(~ACTIVE),
        func.count().filter(due),
        func.min(Feed.next_try_at).filter(due),
    )
    row = session.execute(counted.select_from(Feed).where(Feed.removed_at.is_(None))).one()
    return FeedCounts._make(row)
