"""Decide about the letters of changes of address that were asked for, apart from the requests that asked.

A request stores its change whatever is known about the new address. So its answer and the time that it takes tell
nobody whether that inbox wants no mail from us.
"""

import logging
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.consent.subscribers.address_changes import UNANSWERED, AddressChange
from newsletter.keys import Keyring
from newsletter.mail.mailings import address_letters, preference_links
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.store.database_errors import is_unavailable
from newsletter.templating import Templates

BATCH_SIZE = 50  # changes of one call

log = logging.getLogger(__name__)


def answer_due(
    reading: Begin, writing: Begin, keyring: Keyring, *, templates: Templates, base_url: str, now: datetime
) -> int:
    """Answer the changes that nobody has answered, each in a transaction of its own; return how many, at most a batch.

    The new address gets the letter if its inbox may get one and the reader still gets a newsletter. A change that
    cannot be answered is logged and gets no letter; it stops no other. Raises the error if the database is unavailable.
    """
    with reading() as session:
        waiting = session.scalars(
            select(AddressChange.id).where(UNANSWERED).order_by(AddressChange.id).limit(BATCH_SIZE)
        ).all()
    for number in waiting:
        try:
            with writing() as session:
                _answer(session, keyring, number, templates=templates, base_url=base_url, now=now)
        except Exception as error:
            if is_unavailable(error):
                raise
            log_failure(log, "a change of address cannot be answered", error, change=number)
            with writing() as session:
                _close(session, number, now=now)
    return len(waiting)


def _answer(
    session: Session, keyring: Keyring, number: int, *, templates: Templates, base_url: str, now: datetime
) -> None:
    # The ticket before the change's row: who asks never to be written to takes the tickets and then waits for the row.
    with session.begin_nested() as attempt:
        change = session.get(AddressChange, number)
        if change is None:
            return
        may_come = address_letters.take_ticket_for(session, keyring, change, now=now)
        sender = preference_links.sender_of(session, change.subscriber_id, None)
        if not _close(session, number, now=now):
            attempt.rollback()  # another worker answers it, or it has become void: the ticket is free again
            return
        if may_come and sender:
            address_letters.owe_link(session, change, *sender, templates=templates, base_url=base_url, now=now)


def _close(session: Session, number: int, *, now: datetime) -> bool:
    """Note that a change is answered; return False if another transaction holds it, or if no answer is due any more."""
    due = select(AddressChange.id).where(AddressChange.id == number, UNANSWERED)
    locked = session.scalar(due.with_for_update(skip_locked=True))
    if locked is not None:
        session.execute(update(AddressChange).where(AddressChange.id == number).values(answered_at=now))
    return locked is not None
