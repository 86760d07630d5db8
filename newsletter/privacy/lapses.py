"""End the unconfirmed requests of many people at once: decide for each in memory, then write all together."""

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.orm import Session

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Entry, Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription


class PastEvent(NamedTuple):
    """An entry of the ledger, as far as it decides what lapses."""

    entry_id: int
    event: Event
    newsletter_id: int | None


class CurrentStanding(NamedTuple):
    """A subscription, as far as it decides what lapses."""

    standing: Standing
    since: datetime


@dataclass(kw_only=True)
class Person:
    """A locked subscriber. `end_requests` notes what lapses, and `write` stores it."""

    subscriber_id: int
    subject: bytes
    now: datetime
    standings: dict[int, CurrentStanding] = field(default_factory=dict)  # by newsletter
    past: list[PastEvent] = field(default_factory=list)  # oldest first
    still_asked: set[int] = field(default_factory=set)  # newsletters that the person's other sign-ups ask about
    lapsed: list[int] = field(default_factory=list)  # newsletters
    left: list[int] = field(default_factory=list)  # newsletters whose subscription now has the standing `left`
    ended: list[int] = field(default_factory=list)  # newsletters whose subscription is deleted
    erased: set[int] = field(default_factory=set)  # entries whose evidence is deleted

    @property
    def is_gone(self) -> bool:
        """Whether no subscription is left, so that the subscriber is deleted."""
        return not self.standings

    def end_requests(self, asked: Collection[int]) -> None:
        """End the unconfirmed requests of a deleted sign-up about these newsletters; repeating it is harmless.

        A newsletter that another sign-up still asks about stays: the last one ends the request.
        """
        for newsletter, current in sorted(self.standings.items()):
            about = [each for each in self.past if each.newsletter_id == newsletter]
            never_confirmed = all(each.event != Event.CONFIRMED for each in about)
            reads = current.standing == Standing.SUBSCRIBED
            is_unconfirmed = never_confirmed or (_is_unanswered(about) and not reads)
            if newsletter in asked and newsletter not in self.still_asked and is_unconfirmed:
                self._end_request(newsletter, about)
        if self.is_gone:
            self.erased |= {each.entry_id for each in self.past}

    def _end_request(self, newsletter: int, about: Sequence[PastEvent]) -> None:
        self.lapsed.append(newsletter)
        events = [each.event for each in about]
        confirmed = Event.CONFIRMED in events
        # A confirmed subscription keeps its evidence, including that of the withdrawal; only later requests are erased.
        since = len(events) - events[::-1].index(Event.CONFIRMED) if confirmed else 0
        self.erased |= {each.entry_id for each in about[since:] if each.event == Event.REQUESTED or not confirmed}
        if self.standings[newsletter].standing == Standing.LEFT and confirmed:
            return  # since they left; who asks and leaves again has left for as long as before
        if standing := ledger.standing([*events, Event.LAPSED]):
            self.standings[newsletter] = CurrentStanding(standing, self.now)
            self.left.append(newsletter)
        else:
            del self.standings[newsletter]
            self.ended.append(newsletter)


def _is_unanswered(about: Iterable[PastEvent]) -> bool:
    """Whether a request was neither confirmed nor ended since; who left meanwhile did not answer it."""
    decisive = [each.event for each in about if each.event in (Event.REQUESTED, Event.CONFIRMED, Event.LAPSED)]
    return decisive[-1:] == [Event.REQUESTED]


def lock(
    session: Session, address_keys: Collection[str], *, without: Collection[int], now: datetime
) -> dict[str, Person]:
    """Lock the subscribers of these addresses and return them by address, with all that decides what lapses.

    `without` are the sign-ups that are being deleted: they no longer ask. The subscribers are locked first, in the
    order of their addresses as everywhere. So of two workers that delete sign-ups of one person, the second sees that
    those of the first are gone.
    """
    if not address_keys:
        return {}
    known = select(Subscriber.id, Subscriber.subject, Subscriber.address_key).order_by(Subscriber.address_key)
    locked = known.where(Subscriber.address_key.in_(address_keys)).with_for_update(key_share=True)
    people = {
        str(row.address_key): Person(subscriber_id=row.id, subject=row.subject, now=now)
        for row in session.execute(locked)
    }
    if people:
        _read_standings(session, {each.subscriber_id: each for each in people.values()})
        _read_past(session, {each.subject: each for each in people.values()})
        _read_asked(session, people, without)
    return people


def _read_standings(session: Session, by_id: dict[int, Person]) -> None:
    columns = Subscription.subscriber_id, Subscription.newsletter_id, Subscription.standing, Subscription.since
    for person, newsletter, standing, since in session.execute(
        select(*columns).where(Subscription.subscriber_id.in_(by_id))
    ):
        by_id[person].standings[newsletter] = CurrentStanding(standing, since)


def _read_past(session: Session, by_subject: dict[bytes, Person]) -> None:
    columns = LedgerEntry.subject, LedgerEntry.id, LedgerEntry.event, LedgerEntry.newsletter_id
    entries = select(*columns).where(LedgerEntry.subject.in_(by_subject))
    for row in session.execute(entries.order_by(LedgerEntry.subject, LedgerEntry.ordinal)):
        by_subject[row.subject].past.append(PastEvent(row.id, row.event, row.newsletter_id))


def _read_asked(session: Session, people: dict[str, Person], without: Collection[int]) -> None:
    asking = select(Signup.address_key, Signup.newsletters).where(Signup.state == SignupState.ASKED)
    others = asking.where(Signup.address_key.in_(people), Signup.id.not_in(without))
    for address_key, newsletters in session.execute(others):
        people[address_key].still_asked.update(newsletters)


def write(session: Session, people: Iterable[Person], *, now: datetime) -> None:
    """Store what lapsed: append the entries `lapsed`, erase evidence and bring the subscriptions up to date.

    An entry `lapsed` accounts for the missing evidence. Fold the letters first: a deleted subscriber would be unlinked
    from each delivery.
    """
    people = list(people)
    entries = [
        Entry(each.subject, Event.LAPSED, newsletter, None, now, {}, None, secrets.token_bytes(32))
        for each in people
        for newsletter in each.lapsed
    ]
    if entries:
        ledger.append_all(session, entries)
    erase_evidence(session, sorted(entry for each in people for entry in each.erased))
    key = tuple_(Subscription.subscriber_id, Subscription.newsletter_id)
    if left := [(each.subscriber_id, number) for each in people for number in each.left]:
        session.execute(update(Subscription).where(key.in_(left)).values(standing=Standing.LEFT, since=now))
    if ended := [(each.subscriber_id, number) for each in people for number in each.ended]:
        session.execute(delete(Subscription).where(key.in_(ended)))
    if gone := [each.subscriber_id for each in people if each.is_gone]:
        session.execute(delete(Subscriber).where(Subscriber.id.in_(gone)))


def erase_evidence(session: Session, entries: Sequence[int]) -> None:
    """Delete the evidence and traces of entries; the entries themselves stay."""
    if entries:
        for table in (Evidence, TraceRow):
            session.execute(delete(table).where(table.entry_id.in_(entries)))
