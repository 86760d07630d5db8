"""What the link of a confirmation letter can still do, and to confirm by it.

A link that is older than a withdrawal never subscribes: who left has said the last word. One statement reads all that
the page and the decision need.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Row, Select, and_, bindparam, cast, func, insert, select, update
from sqlalchemy.orm import Session

from newsletter.consent.evidence_terms import EvidenceField, Stored
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Entry, Event, LedgerEntry, Trace
from newsletter.consent.signups import signups
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import moved_subscriptions, subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.wordings import wordings
from newsletter.consent.wordings.wordings import Wording
from newsletter.errors import LinkExpired
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter
from newsletter.store.database import ID_TYPE, is_on_sqlite


class LinkUse(StrEnum):
    """What a link can still do."""

    CONFIRMS = "confirms"
    CONFIRMED = "confirmed"  # nothing more: the person is subscribed
    REPLACED = "replaced"  # nothing: the visitor who signed up has corrected the address since
    WITHDRAWN = "withdrawn"  # nothing: the person has unsubscribed since
    EXPIRED = "expired"


class AskedNewsletter(NamedTuple):
    """A newsletter that the letter asked about, and how the person stands with it."""

    id: int
    slug: str
    name: str
    publisher: str
    postal_address: str
    sender: str
    reply_to: str
    sends_welcome: bool
    brand: str
    language: str
    other_languages: list[str] | None
    site_url: str | None
    signup_thanks_url: str | None
    confirmed_thanks_url: str | None
    standing: Standing | None
    withdrawn_at: datetime | None  # the last time


@dataclass(frozen=True)
class ConfirmationLink:
    """A link of a confirmation letter: its sign-up, the person and the newsletters, as they are now."""

    signup: Row[Any]
    newsletters: Sequence[AskedNewsletter]  # by id; at least one

    @property
    def asked_at(self) -> datetime:
        """When the letter was owed."""
        asked_at: datetime = self.signup.asked_at or self.signup.received_at
        return asked_at

    @property
    def language(self) -> str:
        """The tag of the person's language; a sign-up of the release before has its wording's."""
        tag: str = self.signup.signup_language or self.signup.wording_language
        return tag

    @property
    def words_language(self) -> str:
        """The tag of the language that the wording is in."""
        signup = self.signup
        return wordings.shown_language(signup.wording, signup.wording_language, has_information=signup.has_information)

    @property
    def is_refused(self) -> bool:
        """Whether the person wants no mail at all, and this letter was not allowed as an exception."""
        return self.signup.suppressed == suppressions.Reason.NEVER and not self.signup.lifts_suppression

    @property
    def confirmable(self) -> list[AskedNewsletter]:
        """The newsletters that were not left since the letter was owed."""
        return [each for each in self.newsletters if not self._was_left_since(each)]

    def _was_left_since(self, newsletter: AskedNewsletter) -> bool:
        at = newsletter.withdrawn_at
        return newsletter.standing is Standing.LEFT or (at is not None and at >= self.asked_at)

    def can_be_renewed(self, *, now: datetime) -> bool:
        """Return whether the expired link's visitor can have a new one: nobody has decided anything about it since."""
        was_asked = self.signup.state is SignupState.ASKED and bool(self.confirmable)
        return was_asked and self.use(now=now) is LinkUse.EXPIRED and not self.is_refused

    def use(self, *, now: datetime) -> LinkUse:
        """Return what the link can still do. It confirms for 72 hours, once."""
        if self.signup.subscriber_id is None or self.is_refused:
            return LinkUse.EXPIRED
        is_open = self.signup.state is SignupState.ASKED and not signups.expired(self.signup, now=now)
        if is_open and self.confirmable:
            return LinkUse.CONFIRMS
        if any(each.standing is Standing.SUBSCRIBED for each in self.newsletters):
            return LinkUse.CONFIRMED
        if self.signup.replaced_at is not None:
            return LinkUse.REPLACED
        return LinkUse.WITHDRAWN if is_open or self.signup.state is SignupState.CONFIRMED else LinkUse.EXPIRED


def find(session: Session, ids: tuple[int, ...], *, lock: bool = False) -> ConfirmationLink:
    """Return the link that names a sign-up by (id, nonce).

    `lock` holds the rows of the sign-up and of its person until the transaction ends: one decision about a person at a
    time. Raises LinkExpired if the sign-up was deleted, or if its id now belongs to another one.
    """
    named = dict(zip(("signup", "nonce"), ids, strict=True))
    if lock:
        session.execute(_lock(), named)
    rows = session.execute(_read(on_sqlite=is_on_sqlite(session)), named).all()
    if not rows:
        raise LinkExpired
    return ConfirmationLink(rows[0], [AskedNewsletter._make(row[: len(AskedNewsletter._fields)]) for row in rows])


_NAMED = Signup.id == bindparam("signup", type_=ID_TYPE), Signup.nonce == bindparam("nonce", type_=ID_TYPE)
_OWNER = Subscriber.address_key == Signup.address_key


@cache
def _lock() -> Select[Any]:
    # The sign-up first, as retention does. FOR NO KEY UPDATE: see subscribers.lock_by_key.
    both = select(Signup.id).join(Subscriber, _OWNER).where(*_NAMED)
    return both.with_for_update(key_share=True, of=(Signup, Subscriber))


@cache
def _read(*, on_sqlite: bool) -> Select[Any]:
    elements = func.json_each if on_sqlite else func.json_array_elements_text
    numbers = elements(Signup.newsletters).table_valued("value")
    asked = select(cast(numbers.c.value, BigInteger)).correlate(Signup).scalar_subquery()
    about = LedgerEntry.subject == Subscriber.subject, LedgerEntry.newsletter_id == Newsletter.id
    withdrawn_at = select(func.max(LedgerEntry.at)).where(*about, LedgerEntry.event == Event.WITHDRAWN)
    return (
        select(
            *(getattr(Newsletter, name) for name in AskedNewsletter._fields[:-2]),
            Subscription.standing,
            withdrawn_at.scalar_subquery(),
            Signup.id.label("signup_id"),
            Signup.state,
            Signup.address,
            Signup.address_key,
            Signup.evidence,
            Signup.received_at,
            Signup.asked_at,
            Signup.lifts_suppression,
            Signup.replaced_at,
            Signup.language.label("signup_language"),
            Wording.id.label("wording_id"),
            Wording.text.label("wording"),
            Wording.language.label("wording_language"),
            Wording.information.is_not(None).label("has_information"),
            Wording.confirm_exhibit,
            Subscriber.id.label("subscriber_id"),
            Subscriber.subject,
            Subscriber.suppressed,
            ledger.last_ordinal(Subscriber.subject).label("last_ordinal"),
        )
        .select_from(Signup)
        .join(Wording, Wording.id == Signup.wording_id)
        .join(Newsletter, Newsletter.id.in_(asked))
        .outerjoin(Subscriber, _OWNER)
        .outerjoin(
            Subscription,
            and_(Subscription.subscriber_id == Subscriber.id, Subscription.newsletter_id == Newsletter.id),
        )
        .where(*_NAMED)
        .order_by(Newsletter.id)
    )


def confirm(
    session: Session,
    keyring: Keyring,
    link: ConfirmationLink,
    *,
    evidence: Stored,
    trace: Trace | None,
    now: datetime,
) -> LinkUse:
    """Subscribe the owner of the inbox if the link still confirms; return what it could do before.

    The link was found with `lock`.
    """
    use = link.use(now=now)
    if use is not LinkUse.CONFIRMS:
        return use
    signup, newsletters = link.signup, link.confirmable
    named = ", ".join(each.slug for each in newsletters)  # beside the exhibit, which is the same for all
    shown = {
        EvidenceField.ADDRESS: signup.address,
        EvidenceField.CONFIRM_PAGE: signup.confirm_exhibit,
        EvidenceField.NEWSLETTERS: named,
        **evidence,
    }
    entries = [
        Entry(signup.subject, Event.CONFIRMED, each.id, signup.wording_id, now, shown, trace, secrets.token_bytes(32))
        for each in newsletters
    ]
    ledger.append_all(session, entries, last={signup.subject: signup.last_ordinal})
    _subscribe(session, signup.subscriber_id, newsletters, link.language, now=now)
    _keep_details(session, signup.subscriber_id, signup.evidence)
    if returned := [each.id for each in newsletters if each.withdrawn_at is not None]:
        moved_subscriptions.forget(session, signup.subscriber_id, returned)
    session.execute(update(Signup).where(Signup.id == signup.signup_id).values(state=SignupState.CONFIRMED))
    if signup.suppressed == suppressions.Reason.NEVER:
        suppressions.lift_never(session, keyring, signup.address_key)
    if signup.suppressed:
        suppressions.lift(session, keyring, signup.address_key)
    return use


def _subscribe(
    session: Session, subscriber_id: int, newsletters: Sequence[AskedNewsletter], language: str, *, now: datetime
) -> None:
    changed = [each.id for each in newsletters if each.standing not in (None, Standing.SUBSCRIBED)]
    missing = [each.id for each in newsletters if each.standing is None]
    if changed:
        subscribers.set_standings(session, subscriber_id, changed, Standing.SUBSCRIBED, now=now, language=language)
    if missing:
        values = {"subscriber_id": subscriber_id, "standing": Standing.SUBSCRIBED, "cadence": "every", "since": now}
        values["language"] = language
        session.execute(insert(Subscription), [{**values, "newsletter_id": number} for number in missing])


def _keep_details(session: Session, subscriber_id: int, entered: Mapping[str, Any]) -> None:
    """Store what the person entered beside the address; what they left out stays as it is."""
    columns = {"name": "name", "language": "language", "zone": "timezone"}
    given = {column: entered[field] for column, field in columns.items() if entered.get(field)}
    if given:
        session.execute(update(Subscriber).where(Subscriber.id == subscriber_id).values(given))
