"""Decide, one by one, which sign-ups are owed a confirmation letter, and about which newsletters.

Reads no database: `Known` is what was read for the whole set, and each decision updates it for the next one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row

from newsletter.consent.limits import tickets
from newsletter.consent.limits.inboxes import Inbox
from newsletter.consent.subscribers.subscribers import KnownSubscriber, Standing
from newsletter.consent.subscribers.suppressions import Reason

# An unanswered letter to the same address about the same newsletter. What counts is when the form was posted: who
# posted it before that letter came, and whose sign-up has waited since, did not ask again.
ASK_AGAIN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Known:
    """What is known about the people of a set; addresses are `Address.key`s."""

    now: datetime
    subscribers: dict[str, KnownSubscriber]
    standings: dict[tuple[int, int], Standing]  # by subscriber and newsletter
    asked: dict[tuple[str, int], datetime]  # when the last unanswered letter was owed, by address and newsletter
    inboxes: dict[str, Inbox]  # by address
    tickets: dict[str, set[int]]  # the numbers taken, by inbox
    never: dict[str, bool]  # addresses never to write to, and whether an operator allowed a letter
    suppressed: dict[str, Reason]  # why addresses are suppressed, the strongest reason
    newsletters: frozenset[int]  # those that exist


class Choice(NamedTuple):
    """The letter that a sign-up is owed."""

    newsletters: list[int]
    ticket: int
    lifts_suppression: bool


def choose(known: Known, signup: Row[Any]) -> Choice | None:
    """Return the letter that the rules about a person and their inbox allow; None if there is nothing to ask.

    There is nothing to ask if the person subscribes already, has an unanswered letter that was no ten minutes old when
    the form was posted, has got the inbox's three letters of a day, or asked never to be written to.
    """
    address = signup.address_key
    is_allowed = known.never.get(address)
    if is_allowed is False:
        return None
    wanted = [number for number in sorted(set(signup.newsletters)) if _is_wanted(known, signup, number)]
    inbox = known.inboxes[address]
    ticket = tickets.choose(known.tickets[inbox.key], inbox.is_tagged)
    if not wanted or ticket is None:
        return None
    return Choice(wanted, ticket, lifts_suppression=bool(is_allowed))


def note(known: Known, signup: Row[Any], choice: Choice) -> None:
    """Let the following decisions know that this letter is owed."""
    known.asked.update(((signup.address_key, newsletter), known.now) for newsletter in choice.newsletters)
    inbox = known.inboxes[signup.address_key].key
    known.tickets[inbox].add(choice.ticket)
    if choice.lifts_suppression:  # an operator allows one letter, whatever the spelling of the inbox
        for address in known.never:
            if known.inboxes[address].key == inbox:
                known.never[address] = False


def _is_wanted(known: Known, signup: Row[Any], newsletter: int) -> bool:
    address = signup.address_key
    subscriber = known.subscribers.get(address)
    standing = known.standings.get((subscriber.id, newsletter)) if subscriber else None
    asked_at = known.asked.get((address, newsletter))
    is_asked = asked_at is not None and signup.received_at < asked_at + ASK_AGAIN_AFTER
    return newsletter in known.newsletters and standing != Standing.SUBSCRIBED and not is_asked
