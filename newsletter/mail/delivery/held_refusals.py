"""Decide about held refusals: letters that a relay refused permanently because of us, and that come due again.

A held refusal waits until an operator corrects the cause and resumes its issue. If it comes due first, it is not sent
again: it ends as failed if few of the issue's letters were refused. If many were, the issue is paused and they wait on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.mail.delivery import issue_pauses
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.letters.letters import Letter
from newsletter.mail.transport.transport import Reply


class Refusals(NamedTuple):
    """The replies to claimed letters that were refused for good before, by delivery."""

    final: Mapping[int, Reply]  # these letters end as failed, with this reply
    held: Mapping[int, Reply]  # these go back untouched: their issue is paused


NONE = Refusals(MappingProxyType({}), MappingProxyType({}))


def refusals(session: Session, claimed: Sequence[Claimed], *, now: datetime) -> Refusals:
    """Return the claimed letters that must not be sent again because no person has resumed their issue since.

    Pauses the issues that have many of them.
    """
    again = [each.delivery for each in claimed if each.attempt > 1]
    if not again:
        return NONE
    rows = select(Delivery.id, Letter.issue_id, Delivery.reply_code, Delivery.reply_text)
    rows = rows.join(Letter, Letter.id == Delivery.letter_id).where(Delivery.id.in_(again), Delivery.reply_code >= 500)
    refused = session.execute(rows).all()
    paused = issue_pauses.pause_refused(session, [row.id for row in refused], now=now, all_answered=True)
    final: dict[int, Reply] = {}
    held: dict[int, Reply] = {}
    for delivery, issue, code, text in refused:
        (held if issue in paused else final)[delivery] = Reply(code, None, text or "")
    return Refusals(final, held)
