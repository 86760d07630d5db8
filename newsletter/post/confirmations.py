"""Confirmations: a sign-up becomes a subscriber, a ledger entry and a letter, all of it or nothing."""

import logging
from collections.abc import Callable
from datetime import datetime

from jinja2 import Environment
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.addresses import Address
from newsletter.consent import ledger, signups, subscribers, suppressions
from newsletter.consent.ledger import Event, Trace
from newsletter.consent.signups import Signup, State
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.consent.wordings import Wording
from newsletter.content import digests
from newsletter.database import Begin
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter
from newsletter.post import letters
from newsletter.post.composing import compose
from newsletter.post.deliveries import Delivery
from newsletter.post.faults import AWAY, tell
from newsletter.post.letters import Kind, Priority

log = logging.getLogger(__name__)


def answer_due(
    begin: Begin,
    *,
    templates: Environment,
    keyring: Keyring,
    base_url: str,
    clock: Callable[[], datetime],
    most: int = 200,
) -> int:
    """Work on received sign-ups, each in a transaction of its own; returns how many there were, at most `most`.

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
                number = signup.id
                answer(session, signup, templates=templates, keyring=keyring, base_url=base_url, now=clock())
        except AWAY:
            raise  # the database's trouble, not the sign-up's
        except Exception as error:
            if number is None:
                raise
            if number in failed:
                _set_aside(begin, number, error)
            failed.add(number)
    return most


def _set_aside(begin: Begin, number: int, error: Exception) -> None:
    tell(log, f"sign-up {number} cannot be answered", error)
    unanswered = update(Signup).where(Signup.id == number, Signup.state == State.RECEIVED)
    with begin() as session:
        session.execute(unanswered.values(state=State.FAILED))


def answer(
    session: Session, signup: Signup, *, templates: Environment, keyring: Keyring, base_url: str, now: datetime
) -> None:
    """Ask the inbox's owner, unless they subscribe already, were asked today or said never to write to them."""
    wanted: list[Newsletter] = []
    if suppressions.Reason.NEVER not in suppressions.reasons(session, keyring, signup.address_key):
        wanted = _wanted(session, signup)
    if not wanted:
        signup.state = State.QUIET
        return
    signup.newsletters = [newsletter.id for newsletter in wanted]
    signup.state = State.ASKED
    subscriber = subscribers.meet(session, Address(signup.address, signup.address_key), now=now)
    _ask(session, signup, subscriber, wanted, templates=templates, base_url=base_url, now=now)


def _wanted(session: Session, signup: Signup) -> list[Newsletter]:
    """What to ask about: each newsletter not yet subscribed to, and about each at most once a day."""
    subscriber = subscribers.by_key(session, signup.address_key)
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
    *,
    templates: Environment,
    base_url: str,
    now: datetime,
) -> None:
    wording = session.get_one(Wording, signup.wording_id)
    first = wanted[0]
    sheet = compose(
        templates,
        "confirmation",
        newsletter=first,
        base_url=base_url,
        stream="confirmation",
        fields=("confirm", "never"),
        newsletters=[{"name": each.name, "schedule": digests.schedule(session, each.id)} for each in wanted],
        wording=wording,
        signup_url=f"{base_url}/n/{first.slug}",
        said={
            "requested_at": templating.exactly(templating.local(signup.received_at, first.zone)),
            "expires_at": templating.when(templating.local(signup.received_at + signups.VALID, first.zone)),
        },
    )
    letter, variant = letters.write(
        session,
        kind=Kind.CONFIRMATION,
        occasion=f"signup:{signup.id}",
        newsletter_id=first.id,
        signup_id=signup.id,
        sheet=sheet,
        language=first.language,
        priority=Priority.URGENT,
        now=now,
    )
    for newsletter in wanted:
        ledger.append(
            session,
            subscriber.subject,
            Event.REQUESTED,
            newsletter=newsletter,
            wording=wording,
            evidence=_evidence(signup, letter=variant.sha256),
            trace=Trace(signup.evidence.get("ip"), signup.evidence.get("user_agent")),
            now=signup.received_at,
        )
        subscribers.settle(session, subscriber.id, newsletter.id, Standing.ASKED, now=now)
    session.add(
        Delivery(
            letter_id=letter.id,
            subscriber_id=subscriber.id,
            variant_id=variant.id,
            priority=Priority.URGENT,
            due_at=now,
            queued_at=now,
        )
    )
    session.flush()


def _evidence(signup: Signup, *, letter: str) -> dict[str, str]:
    """What proves the act itself; where the request came from is a trace, and kept apart."""
    typed = {name: value for name, value in signup.evidence.items() if name not in ("ip", "user_agent")}
    return {**typed, "address": signup.address, "form": signup.form, "letter": letter}
