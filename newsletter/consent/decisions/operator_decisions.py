"""What an operator may decide about a person: end subscriptions on their word, and allow them one letter.

The audit log names the person by ids only; what they wrote stays with the evidence, which can be erased.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import addresses, audit_log
from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter

MAX_CHARACTERS = 500  # of a route or a reason


def withdraw(
    session: Session, address: str, *, newsletter: Newsletter | None = None, how: str, actor: str, now: datetime
) -> list[str]:
    """End a person's subscription to this newsletter, or to all, on their word (GDPR Art. 7(3)); return the slugs.

    `how` is the route by which their word came, such as "e-mail of 3 May": the evidence keeps it. Repeating it ends
    nothing more. Raises NotFound for an address that no subscriber has, and Malformed without a route.
    """
    route = _one_line(how, field="how")
    subscriber = subscribers.lock_by_key(session, addresses.parse(address, field="address").key)
    if subscriber is None:
        raise NotFound("No subscriber has that address.")
    numbers = [newsletter.id] if newsletter else list(subscribers.subscriptions(session, subscriber.id))
    how_told = EvidenceTerm.TOLD_TO_OPERATOR
    ended = decisions.withdraw(
        session, subscriber, newsletters=numbers, how=how_told, stated=route, trace=None, now=now
    )
    slugs = list(session.scalars(select(Newsletter.slug).where(Newsletter.id.in_(ended)).order_by(Newsletter.id)))
    if slugs:
        facts = {"newsletters": slugs, "how": addresses.redact(route)}
        only = ended[0] if len(ended) == 1 else None
        audit_log.record(
            session,
            actor=actor,
            verb="subscriptions withdrawn",
            subject=f"subscriber:{subscriber.id}",
            newsletter_id=only,
            now=now,
            **facts,
        )
    return slugs


def other_spellings(session: Session, keyring: Keyring, address: str) -> list[str]:
    """Return the addresses of subscribers who read a newsletter at another spelling of this address's inbox."""
    key = addresses.parse(address, field="address").key
    reads = select(Subscription).where(
        Subscription.subscriber_id == Subscriber.id, Subscription.standing != Standing.LEFT
    )
    spellings = select(Subscriber.address).where(Subscriber.fold_key.in_(inboxes.folds(keyring, key)), reads.exists())
    found = session.scalars(spellings.where(Subscriber.address_key != key).order_by(Subscriber.address_key))
    return [each for each in found if each]


def allow_letter(
    session: Session, keyring: Keyring, address: str, *, reason: str, actor: str, now: datetime
) -> list[int]:
    """Allow one confirmation letter to somebody who asked never to be written to; return the suppressions' ids.

    They get it if the address is entered again, and only its button lifts the suppression. Raises Refused if the
    address may be written to, and Malformed without a reason.
    """
    why = _one_line(reason, field="reason")
    allowed = suppressions.allow_letter(session, keyring, addresses.parse(address, field="address").key, now=now)
    if not allowed:
        raise Refused("That address has not asked never to be written to, so it may get letters as any other.")
    for number in allowed:
        audit_log.record(
            session,
            actor=actor,
            verb="letter allowed",
            subject=f"suppression:{number}",
            newsletter_id=None,
            now=now,
            reason=addresses.redact(why),
        )
    return allowed


def _one_line(text: str, *, field: str) -> str:
    line = " ".join(text.split())
    if not line or not line.isprintable() or len(line) > MAX_CHARACTERS:
        raise Malformed(field, f"Enter one line of plain text, of at most {MAX_CHARACTERS} characters.")
    return line
