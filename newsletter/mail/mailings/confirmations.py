"""Turn each sign-up into a subscriber, a ledger entry and a confirmation letter, in one transaction."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.consent import ledger, signups, subscribers, suppressions
from newsletter.consent.ledger import Event, Trace
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.consent.wordings import Wording
from newsletter.content.digests import digests
from newsletter.keys import Keyring
from newsletter.mail.delivery import deliveries
from newsletter.mail.delivery.assembly import confirmation_times
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.store.database_errors import is_conflict, is_unavailable

NewsletterValues = tuple[tuple[str, Any], ...]  # the columns of a newsletter but its id, with their names
Offers = tuple[tuple[str, str | None], ...]  # the newsletters asked for: name and schedule

NEWSLETTER_COLUMNS = [column.key for column in Newsletter.__table__.columns if column.key != "id"]

log = logging.getLogger(__name__)


def process_received(
    begin: Begin,
    *,
    templates: Environment,
    keyring: Keyring,
    base_url: str,
    clock: Callable[[], datetime],
    limit: int = 200,
    on_signup: Callable[[], None] = lambda: None,
) -> int:
    """Process up to `limit` received sign-ups, each in a transaction of its own; return how many.

    Calls `on_signup` before each. A sign-up that fails twice is marked failed and logged, so that it does not block the
    others. A first failure is retried, because any sign-up can fail once: two workers may collide on the same inbox.
    Raises the error if the database is unavailable; the sign-up then stays as it was.
    """
    failed: set[int] = set()
    for done in range(limit):
        number = None
        try:
            with begin() as session:
                signup = signups.next_received(session, now=clock())
                if signup is None:
                    return done
                on_signup()
                number = signup.id
                process(session, signup, templates=templates, keyring=keyring, base_url=base_url, now=clock())
        except Exception as error:
            if is_conflict(error):
                continue
            if number is None or is_unavailable(error):  # the database failed, not the sign-up
                raise
            if number in failed:
                _mark_failed(begin, number, error)
            failed.add(number)
    return limit


def _mark_failed(begin: Begin, number: int, error: Exception) -> None:
    log_failure(log, "a sign-up cannot be processed", error, signup=number)
    received = update(Signup).where(Signup.id == number, Signup.state == SignupState.RECEIVED)
    with begin() as session:
        session.execute(received.values(state=SignupState.FAILED))


def process(
    session: Session, signup: Signup, *, templates: Environment, keyring: Keyring, base_url: str, now: datetime
) -> None:
    """Write the confirmation letter for a sign-up, or set it to `quiet` if there is nothing to ask.

    There is nothing to ask if the person subscribes already, was asked today, or asked never to be written to.
    """
    known = subscribers.lock_by_key(session, signup.address_key)
    wanted: list[Newsletter] = []
    if suppressions.Reason.NEVER not in suppressions.reasons(session, keyring, signup.address_key):
        wanted = _wanted(session, signup, known)
    if not wanted:
        signup.state = SignupState.QUIET
        return
    signup.newsletters = [newsletter.id for newsletter in wanted]
    signup.state = SignupState.ASKED
    address = Address(signup.address, signup.address_key)
    created = None if known else subscribers.create(session, address, now=now)
    subscriber = known or created or subscribers.get_or_create(session, address, now=now)
    wording = session.get_one(Wording, signup.wording_id)
    shown = _write_letter(session, signup, subscriber, wanted, wording, templates=templates, base_url=base_url, now=now)
    _record_requests(session, signup, subscriber, wanted, wording, shown=shown, is_new=created is not None, now=now)


def _wanted(session: Session, signup: Signup, subscriber: Subscriber | None) -> list[Newsletter]:
    """Return the newsletters to ask about: those not subscribed to, and each at most once a day per inbox."""
    subscriptions = subscribers.subscriptions(session, subscriber.id) if subscriber else {}
    asked = session.scalars(select(Newsletter).where(Newsletter.id.in_(signup.newsletters)).order_by(Newsletter.id))
    return [
        newsletter
        for newsletter in asked
        if (newsletter.id not in subscriptions or subscriptions[newsletter.id].standing != Standing.SUBSCRIBED)
        and signups.reserve_letter(session, signup, newsletter.id)
    ]


def _write_letter(
    session: Session,
    signup: Signup,
    subscriber: Subscriber,
    wanted: list[Newsletter],
    wording: Wording,
    *,
    templates: Environment,
    base_url: str,
    now: datetime,
) -> dict[str, str]:
    """Write the letter and its delivery; return its hash and field values, from which its text can be made again."""
    first = wanted[0]
    offers = tuple((each.name, digests.schedule(session, each.id)) for each in wanted)
    sheet = lay_out(templates, base_url, _values(first), offers, (wording.text, wording.language))
    letter, variant = letters.write(
        session,
        kind=LetterKind.CONFIRMATION,
        occasion=f"signup:{signup.id}",
        newsletter_id=first.id,
        signup_id=signup.id,
        sheet=sheet,
        language=first.language,
        priority=Priority.URGENT,
        now=now,
    )
    deliveries.owe(session, letter, variant, subscriber_id=subscriber.id, now=now)
    return {"letter": variant.sha256, **confirmation_times(signup.received_at, first.zone)}


def _values(newsletter: Newsletter) -> NewsletterValues:
    return tuple((name, getattr(newsletter, name)) for name in NEWSLETTER_COLUMNS)


@lru_cache(maxsize=64)
def lay_out(
    templates: Environment, base_url: str, newsletter_values: NewsletterValues, offers: Offers, wording: tuple[str, str]
) -> Sheet:
    """Return the letter. It holds nothing that the visitor typed, because the inbox may be a stranger's.

    Cached by its arguments, which determine the letter: laying it out takes as long as the rest of a sign-up's work.
    """
    first, (text, language) = Newsletter(**dict(newsletter_values)), wording
    return compose(
        templates,
        "confirmation",
        newsletter=first,
        base_url=base_url,
        stream="confirmation",
        fields=("confirm", "never", "requested_at", "expires_at"),
        newsletters=[{"name": name, "schedule": schedule} for name, schedule in offers],
        wording={"text": text, "language": language},
        signup_url=f"{base_url}/n/{first.slug}",
    )


def _record_requests(
    session: Session,
    signup: Signup,
    subscriber: Subscriber,
    wanted: list[Newsletter],
    wording: Wording,
    *,
    shown: Mapping[str, str],
    is_new: bool,
    now: datetime,
) -> None:
    """Append a ledger entry per newsletter. The request's trace is stored apart from the evidence."""
    trace = Trace(signup.evidence.get("ip"), signup.evidence.get("user_agent"))
    typed = {name: value for name, value in signup.evidence.items() if name not in trace._fields}
    for position, newsletter in enumerate(wanted):
        ledger.append(
            session,
            subscriber.subject,
            Event.REQUESTED,
            newsletter=newsletter,
            wording=wording,
            evidence={**typed, "address": signup.address, "form": signup.form, **shown},
            trace=trace,
            now=signup.received_at,
            is_new=is_new and position == 0,
        )
        subscribers.set_standing(session, subscriber.id, newsletter.id, Standing.ASKED, now=now, is_new=is_new)
