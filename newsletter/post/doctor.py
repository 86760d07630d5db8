"""Doctor: proves that the books agree, and names each place where they do not. It reads only."""

import hmac
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter import triggers
from newsletter.consent import ledger
from newsletter.consent.ledger import Entry, Event, Evidence
from newsletter.consent.subscribers import Subscriber, Subscription
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.newsletters import Newsletter
from newsletter.post.deliveries import OPEN, Delivery, Status, Tally, stands
from newsletter.post.letters import Letter, Variant


class Finding(NamedTuple):
    """One thing that is wrong, and where."""

    about: str
    says: str


def examine(session: Session) -> list[Finding]:
    """Everything that is found wrong; nothing if the service is sound."""
    checks = (_triggers, _sums, _issues, _states, _variants, _standings, _ordinals, _leaves, _evidence)
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


def _issues(session: Session) -> Iterator[Finding]:
    """An issue that is called sent had a letter, and owes nobody anything."""
    mine = exists().where(Letter.issue_id == Issue.id)
    owed = mine.where(Delivery.letter_id == Letter.id, stands(*OPEN))
    sent = select(Issue.id).where(Issue.status == IssueStatus.SENT).order_by(Issue.id)
    for number in session.scalars(sent.where(~mine)):
        yield Finding(f"issue {number}", "it is called sent, but has no letter")
    for number in session.scalars(sent.where(owed)):
        yield Finding(f"issue {number}", "it is called sent, but some of its deliveries are not decided")


def _states(session: Session) -> Iterator[Finding]:
    """A decided delivery says when it was, and only such a one; a claimed one says by whom."""
    wrong = {
        "it is decided, but not when": (~stands(*OPEN), Delivery.decided_at.is_(None)),
        "it is not decided, but says when it was": (stands(*OPEN), Delivery.decided_at.is_not(None)),
        "it is claimed, but by nobody": (stands(Status.CLAIMED), Delivery.carrier_id.is_(None)),
    }
    for says, conditions in wrong.items():
        for number in session.scalars(select(Delivery.id).where(*conditions).order_by(Delivery.id)):
            yield Finding(f"delivery {number}", says)


def _variants(session: Session) -> Iterator[Finding]:
    """Nobody is owed the words of another letter, nor words that were changed since they were stored."""
    mixed = select(Delivery.id).join(Variant, Variant.id == Delivery.variant_id)
    for number in session.scalars(mixed.where(Variant.letter_id != Delivery.letter_id).order_by(Delivery.id)):
        yield Finding(f"delivery {number}", "its words are those of another letter")
    for variant in session.scalars(select(Variant).order_by(Variant.id).execution_options(yield_per=100)):
        if not variant.is_intact():
            yield Finding(f"variant {variant.id}", "it was changed after it was written: its hash does not fit")


def _standings(session: Session) -> Iterator[Finding]:
    """The derived subscriptions are what the ledger comes to."""
    derived = select(Subscription.subscriber_id, Subscription.newsletter_id, Subscription.standing)
    shown = {(subscriber, newsletter): standing for subscriber, newsletter, standing in session.execute(derived)}
    told = {key: today for key, events in _histories(session) if (today := ledger.standing(events))}
    for subscriber, newsletter in sorted(shown.keys() | told.keys()):
        row, fact = shown.get((subscriber, newsletter)), told.get((subscriber, newsletter))
        if row != fact:
            yield Finding(
                f"subscriber {subscriber}, newsletter {newsletter}",
                f"the subscription says {row or 'nothing'}, the ledger {fact or 'nothing'}",
            )


def _histories(session: Session) -> Iterator[tuple[tuple[int, int], list[Event]]]:
    """What happened between each subscriber and each newsletter, oldest first."""
    entries = session.execute(
        select(Subscriber.id, Newsletter.id, Entry.event)
        .join(Entry, Entry.subject == Subscriber.subject)
        .join(Newsletter, Newsletter.id == Entry.newsletter_id)
        .order_by(Subscriber.id, Newsletter.id, Entry.ordinal)
    )
    for (subscriber, newsletter), group in groupby(entries, key=lambda row: (row[0], row[1])):
        yield (subscriber, newsletter), [event for _, _, event in group]


def _ordinals(session: Session) -> Iterator[Finding]:
    """Nothing was taken out of the ledger: a subject's facts are numbered 1, 2, 3."""
    first, found, last = func.min(Entry.id), func.count(), func.max(Entry.ordinal)
    gaps = select(first, found, last).group_by(Entry.subject).having(found != last).order_by(first)
    for number, left, all_ in session.execute(gaps):
        yield Finding(f"ledger entry {number}", f"of the {all_} facts about its subject {left} are left")


def _leaves(session: Session) -> Iterator[Finding]:
    """Every ledger entry still has the leaf hash that it was written with."""
    for entry in session.scalars(select(Entry).order_by(Entry.id).execution_options(yield_per=1000)):
        if ledger.leaf(entry) != entry.leaf:
            yield Finding(f"ledger entry {entry.id}", "it was changed after it was written: its leaf does not fit")


def _evidence(session: Session) -> Iterator[Finding]:
    """What evidence is kept is the evidence that was given."""
    kept = select(Evidence.entry_id, Evidence.salt, Evidence.body, Entry.evidence_digest)
    joined = kept.join(Entry, Entry.id == Evidence.entry_id).order_by(Entry.id)
    for number, salt, body, digest in session.execute(joined.execution_options(yield_per=1000)):
        if hmac.digest(salt, body, "sha256") != digest:
            yield Finding(f"ledger entry {number}", "its evidence was changed: the entry's digest does not fit")
