"""Write the rows of the letters that a set of sign-ups is owed, each kind of row with one statement."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Row, Table, Update, update
from sqlalchemy.orm import Session

from newsletter.consent import evidence_terms
from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Entry, Event, Trace
from newsletter.consent.limits import inboxes, tickets
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import SLOW_LANE_LIFETIME, Signup, SignupState
from newsletter.consent.subscribers import subscribers, suppressions
from newsletter.errors import NewsletterError
from newsletter.keys import Keyring
from newsletter.mail.delivery import deliveries, words
from newsletter.mail.delivery.deliveries import Owed
from newsletter.mail.letters import letters
from newsletter.mail.mailings.confirmations.rules import Choice, Known
from newsletter.mail.mailings.confirmations.texts import Offer, Text
from newsletter.store import bulk_rows
from newsletter.store.database import is_on_sqlite

SIGNUPS = cast("Table", Signup.__table__)
TRACED = frozenset(Trace._fields)

# What an answer changes of a sign-up.
ANSWER_COLUMNS = (
    "state", "newsletters", "fold_key", "asked_at", "slow_lane_at", "lifts_suppression", "forget_at",
)  # fmt: skip


class Overtaken(NewsletterError):
    """Another transaction changed what this one had read, so the set has to be answered anew."""


class OwedLetter(NamedTuple):
    """A sign-up that is owed a letter, and the random values of its rows."""

    signup: Row[Any]
    choice: Choice
    fold_key: str  # of its inbox, under the newest key
    subject: bytes
    salts: tuple[bytes, ...]  # of its evidence, one for each newsletter

    @property
    def offer(self) -> Offer:
        """What determines the letter's text."""
        evidence = self.signup.evidence
        site = evidence_terms.registered_site(evidence)
        by_button = evidence.get(EvidenceField.METHOD) in evidence_terms.BY_BUTTON
        return Offer(tuple(self.choice.newsletters), self.signup.wording_id, self.signup.language, site, by_button)


class Drawing:
    """Prepares owed letters in the order of the claim, so that each sign-up draws the same random values in any set."""

    def __init__(self, known: Known, keyring: Keyring, random_bytes: Callable[[int], bytes]) -> None:
        self._known, self._keyring, self._random_bytes = known, keyring, random_bytes
        self.new: dict[str, bytes] = {}  # the subjects of new subscribers, by address

    def owe(self, signup: Row[Any], choice: Choice) -> OwedLetter:
        """Return the letter with its random values."""
        address = signup.address_key
        subscriber = self._known.subscribers.get(address)
        subject = subscriber.subject if subscriber else self.new.get(address)
        if subject is None:
            subject = self.new[address] = self._random_bytes(16)
        salts = tuple(self._random_bytes(32) for _ in choice.newsletters)
        fold_key = inboxes.fold(self._keyring, self._known.inboxes[address].key)
        return OwedLetter(signup, choice, fold_key, subject, salts)


def take_tickets(session: Session, keyring: Keyring, owed: Sequence[OwedLetter], *, now: datetime) -> None:
    """Take the tickets of letters, and use up what an operator allowed. Raises Overtaken if a ticket was taken."""
    rows = [(each.fold_key, each.choice.ticket, _occasion(each)) for each in owed]
    if not tickets.take(session, rows, now=now):
        raise Overtaken
    if allowed := [each.signup.address_key for each in owed if each.choice.lifts_suppression]:
        suppressions.use_allowance(session, keyring, allowed)


def create_subscribers(
    session: Session, owed: Sequence[OwedLetter], known: Known, new: Mapping[str, bytes], *, now: datetime
) -> dict[str, int]:
    """Create the new subscribers; return the ids of all by address. Raises Overtaken if another transaction did."""
    first = {each.signup.address_key: each for each in reversed(owed)}
    rows = [
        {
            "subject": subject,
            "address": first[address].signup.address,
            "address_key": address,
            "fold_key": first[address].fold_key,
            "suppressed": known.suppressed.get(address),  # the button of the letter will lift it
            "created_at": now,
        }
        for address, subject in new.items()
    ]
    created = subscribers.create_all(session, rows) if rows else {}
    if len(created) < len(rows):
        raise Overtaken
    return created | {address: subscriber.id for address, subscriber in known.subscribers.items()}


def write_letters(
    session: Session,
    owed: Sequence[OwedLetter],
    subscriber_ids: Mapping[str, int],
    texts: Mapping[Offer, Text],
    *,
    now: datetime,
) -> None:
    """Write the letters and their deliveries, which leave in the order of the sign-ups."""
    written = letters.write_confirmations(
        session, [(each.signup.id, each.choice.newsletters[0]) for each in owed], now=now
    )
    deliveries.owe_all(
        session,
        (
            Owed(written[each.signup.id], texts[each.offer].variant_id, subscriber_ids[each.signup.address_key])
            for each in owed
        ),
        now=now,
    )


def record_requests(
    session: Session,
    owed: Sequence[OwedLetter],
    subscriber_ids: Mapping[str, int],
    texts: Mapping[Offer, Text],
    *,
    new: Mapping[str, bytes],
    now: datetime,
) -> None:
    """Append a ledger entry per newsletter asked about, and set the standings."""
    entries = [entry for each in owed for entry in _entries(each, texts[each.offer], now)]
    ledger.append_all(session, entries, last=dict.fromkeys(new.values(), 0))
    languages = {
        (subscriber_ids[each.signup.address_key], number): each.signup.language
        for each in owed
        for number in each.choice.newsletters
    }
    subscribers.ask_all(session, languages, now=now)


def _entries(owed: OwedLetter, text: Text, now: datetime) -> list[Entry]:
    """Return the entries. The letter's hash and field values suffice to make its text again."""
    signup = owed.signup
    trace = Trace(signup.evidence.get(EvidenceField.IP), signup.evidence.get(EvidenceField.USER_AGENT))
    times = words.confirmation_times(signup.received_at, now, text.zone, language=text.language)
    evidence = {
        **evidence_terms.stored({name: value for name, value in signup.evidence.items() if name not in TRACED}),
        EvidenceField.ADDRESS: signup.address,
        EvidenceField.FORM: signup.form,
        EvidenceField.LETTER: text.sha256,
        EvidenceField.REQUESTED_AT: times["requested_at"],
        EvidenceField.EXPIRES_AT: times["expires_at"],
    }
    about = zip(owed.choice.newsletters, owed.salts, strict=True)
    fixed = signup.wording_id, signup.received_at, evidence, trace
    return [Entry(owed.subject, Event.REQUESTED, number, *fixed, salt) for number, salt in about]


def set_states(
    session: Session,
    owed: Sequence[OwedLetter],
    slow: Sequence[Row[Any]],
    quiet: Sequence[Row[Any]],
    *,
    now: datetime,
) -> None:
    """Write what became of each sign-up of a set."""
    rows = [_asked(each, now) for each in owed]
    # The release before would answer a `received` one at once, so in the slow lane the state is `quiet`.
    rows += [
        _unasked(each, slow_lane_at=now, forget_at=min(each.forget_at, each.received_at + SLOW_LANE_LIFETIME))
        for each in slow
    ]
    rows += [_unasked(each, slow_lane_at=None, forget_at=each.forget_at) for each in quiet]
    statement = _update_signups(on_sqlite=is_on_sqlite(session))
    session.execute(statement, {"answers": bulk_rows.encode(sorted(rows, key=lambda row: row["id"]))})


def _asked(owed: OwedLetter, now: datetime) -> dict[str, Any]:
    return {
        "id": owed.signup.id,
        "state": SignupState.ASKED,
        "newsletters": owed.choice.newsletters,
        "fold_key": owed.fold_key,
        "asked_at": now,
        "slow_lane_at": None,
        "lifts_suppression": owed.choice.lifts_suppression or None,
        "forget_at": now + LINK_LIFETIME,
    }


def _unasked(signup: Row[Any], *, slow_lane_at: datetime | None, forget_at: datetime) -> dict[str, Any]:
    return {
        "id": signup.id,
        "state": SignupState.QUIET,
        "newsletters": signup.newsletters,
        "fold_key": signup.fold_key,
        "asked_at": None,
        "slow_lane_at": slow_lane_at,
        "lifts_suppression": None,
        "forget_at": forget_at,
    }


@cache
def _update_signups(*, on_sqlite: bool) -> Update:
    types = {name: SIGNUPS.c[name].type for name in ("id", *ANSWER_COLUMNS)}
    rows = bulk_rows.table_of("answers", types, on_sqlite=on_sqlite)
    return update(SIGNUPS).where(SIGNUPS.c.id == rows.c.id).values({name: rows.c[name] for name in ANSWER_COLUMNS})


def _occasion(owed: OwedLetter) -> str:
    return f"signup:{owed.signup.id}"
