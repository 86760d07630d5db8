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
from newsletter.post.merge import Sheet

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
    tell(log, "a sign-up cannot be answered", error, signup=number)
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
    first, wording = wanted[0], session.get_one(Wording, signup.wording_id)
    letter, variant = letters.write(
        session,
        kind=Kind.CONFIRMATION,
        occasion=f"signup:{signup.id}",
        newsletter_id=first.id,
        signup_id=signup.id,
        sheet=_lay_out(session, signup, wanted, wording, templates=templates, base_url=base_url),
        language=first.language,
        priority=Priority.URGENT,
        now=now,
    )
    owed = Delivery(
        letter_id=letter.id,
        subscriber_id=subscriber.id,
        variant_id=variant.id,
        priority=letter.priority,
        due_at=now,
        queued_at=now,
    )
    session.add(owed)
    session.flush()
    _remember(session, signup, subscriber, wanted, wording=wording, letter=variant.sha256, now=now)


def _lay_out(
    session: Session,
    signup: Signup,
    wanted: list[Newsletter],
    wording: Wording,
    *,
    templates: Environment,
    base_url: str,
) -> Sheet:
    """The letter, with nothing in it that the visitor typed: the inbox may be a stranger's."""
    first = wanted[0]
    return compose(
        templates,
        "confirmation",
        newsletter=first,
        base_url=base_url,
        stream="confirmation",
        fields=("confirm", "never"),
        said={
            "requested_at": templating.exactly(templating.local(signup.received_at, first.zone)),
            "expires_at": templating.when(templating.local(signup.received_at + signups.VALID, first.zone)),
        },
        newsletters=[{"name": each.name, "schedule": digests.schedule(session, each.id)} for each in wanted],
        wording=wording,
        signup_url=f"{base_url}/n/{first.slug}",
    )


def _remember(
    session: Session,
    signup: Signup,
    subscriber: Subscriber,
    wanted: list[Newsletter],
    *,
    wording: Wording,
    letter: str,
    now: datetime,
) -> None:
    """Append what was asked for. Where the request came from is a trace, kept apart from what proves the act."""
    origin = Trace(signup.evidence.get("ip"), signup.evidence.get("user_agent"))
    typed = {name: value for name, value in signup.evidence.items() if name not in origin._fields}
    for newsletter in wanted:
        ledger.append(
            session,
            subscriber.subject,
            Event.REQUESTED,
            newsletter=newsletter,
            wording=wording,
            evidence={**typed, "address": signup.address, "form": signup.form, "letter": letter},
            trace=origin,
            now=signup.received_at,
        )
        subscribers.settle(session, subscriber.id, newsletter.id, Standing.ASKED, now=now)
