"""Confirmations: a sign-up becomes a subscriber, a ledger entry and a letter, all of it or nothing."""

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

Facts = tuple[tuple[str, Any], ...]  # all that a newsletter is, by name
Asked = tuple[tuple[str, str | None], ...]  # what was asked for: names, and how often each comes

FACTS = [column.key for column in Newsletter.__table__.columns if column.key != "id"]

log = logging.getLogger(__name__)


def answer_due(
    begin: Begin,
    *,
    templates: Environment,
    keyring: Keyring,
    base_url: str,
    clock: Callable[[], datetime],
    most: int = 200,
    found: Callable[[], None] = lambda: None,
) -> int:
    """Work on received sign-ups, each in a transaction of its own; returns how many there were, at most `most`.

    `found` is called for each before it is answered.

    One that fails twice is set aside, with the reason in the log, so that it does not hold up the others. Once can
    happen to any: two workers who work for the same inbox may collide, and then one of them has to look again.
    """
    failed: set[int] = set()
    for done in range(most):
        number = None
        try:
            with begin() as session:
                signup = signups.next_received(session, now=clock())
                if signup is None:
                    return done
                found()
                number = signup.id
                answer(session, signup, templates=templates, keyring=keyring, base_url=base_url, now=clock())
        except Exception as error:
            if is_conflict(error):
                continue
            if number is None or is_unavailable(error):  # the database's trouble, not the sign-up's
                raise
            if number in failed:
                _set_aside(begin, number, error)
            failed.add(number)
    return most


def _set_aside(begin: Begin, number: int, error: Exception) -> None:
    log_failure(log, "a sign-up cannot be answered", error, signup=number)
    unanswered = update(Signup).where(Signup.id == number, Signup.state == SignupState.RECEIVED)
    with begin() as session:
        session.execute(unanswered.values(state=SignupState.FAILED))


def answer(
    session: Session, signup: Signup, *, templates: Environment, keyring: Keyring, base_url: str, now: datetime
) -> None:
    """Ask the inbox's owner, unless they subscribe already, were asked today or said never to write to them."""
    known = subscribers.by_key(session, signup.address_key)
    wanted: list[Newsletter] = []
    if suppressions.Reason.NEVER not in suppressions.reasons(session, keyring, signup.address_key):
        wanted = _wanted(session, signup, known)
    if not wanted:
        signup.state = SignupState.QUIET
        return
    signup.newsletters = [newsletter.id for newsletter in wanted]
    signup.state = SignupState.ASKED
    address = Address(signup.address, signup.address_key)
    made = None if known else subscribers.make(session, address, now=now)
    subscriber = known or made or subscribers.meet(session, address, now=now)
    words = session.get_one(Wording, signup.wording_id)
    shown = _ask(session, signup, subscriber, wanted, words, templates=templates, base_url=base_url, now=now)
    _remember(session, signup, subscriber, wanted, words, shown=shown, is_new=made is not None, now=now)


def _wanted(session: Session, signup: Signup, subscriber: Subscriber | None) -> list[Newsletter]:
    """What to ask about: each newsletter not yet subscribed to, and about each at most once a day."""
    standing = subscribers.subscriptions(session, subscriber.id) if subscriber else {}
    asked = session.scalars(select(Newsletter).where(Newsletter.id.in_(signup.newsletters)).order_by(Newsletter.id))
    return [
        newsletter
        for newsletter in asked
        if (newsletter.id not in standing or standing[newsletter.id].standing != Standing.SUBSCRIBED)
        and signups.may_ask(session, signup, newsletter.id)
    ]


def _ask(
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
    """Owe them the letter; returns its hash and what is filled into it, so that its words can be made again."""
    first = wanted[0]
    asked = tuple((each.name, digests.schedule(session, each.id)) for each in wanted)
    sheet = lay_out(templates, base_url, _facts(first), asked, (wording.text, wording.language))
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


def _facts(newsletter: Newsletter) -> Facts:
    return tuple((name, getattr(newsletter, name)) for name in FACTS)


@lru_cache(maxsize=64)
def lay_out(templates: Environment, base_url: str, facts: Facts, asked: Asked, wording: tuple[str, str]) -> Sheet:
    """The letter, with nothing in it that the visitor typed: the inbox may be a stranger's.

    It is made of nothing but what is given here, so that it is laid out once for all who ask for the same: that takes
    as long as all else that answering a sign-up takes.
    """
    first, (words, language) = Newsletter(**dict(facts)), wording
    return compose(
        templates,
        "confirmation",
        newsletter=first,
        base_url=base_url,
        stream="confirmation",
        fields=("confirm", "never", "requested_at", "expires_at"),
        newsletters=[{"name": name, "schedule": schedule} for name, schedule in asked],
        wording={"text": words, "language": language},
        signup_url=f"{base_url}/n/{first.slug}",
    )


def _remember(
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
    """Append what was asked for. Where the request came from is a trace, kept apart from what proves the act."""
    origin = Trace(signup.evidence.get("ip"), signup.evidence.get("user_agent"))
    typed = {name: value for name, value in signup.evidence.items() if name not in origin._fields}
    for place, newsletter in enumerate(wanted):
        ledger.append(
            session,
            subscriber.subject,
            Event.REQUESTED,
            newsletter=newsletter,
            wording=wording,
            evidence={**typed, "address": signup.address, "form": signup.form, **shown},
            trace=origin,
            now=signup.received_at,
            is_new=is_new and place == 0,
        )
        subscribers.settle(session, subscriber.id, newsletter.id, Standing.ASKED, now=now, is_new=is_new)
