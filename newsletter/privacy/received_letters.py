"""Read which letters a subscriber was sent."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.letters.letters import Letter, LetterKind, actual_kind
from newsletter.newsletters import Newsletter

LAST = 10  # letters that are listed


class ReceivedLetter(NamedTuple):
    """A letter to a subscriber, and what became of it."""

    newsletter: Newsletter | None
    kind: LetterKind
    status: DeliveryStatus
    at: datetime  # when that was decided, or when it was queued


class LettersToReader(NamedTuple):
    """The number of all letters that are stored as sent to a subscriber, and the last of all that were owed."""

    sent: int
    last: list[ReceivedLetter]


def read(session: Session, subscriber_id: int) -> LettersToReader:
    """Return the letters to a subscriber's own address.

    One about a change of address went to another inbox, perhaps a stranger's. Whether it got the letter, and what
    its server replied, is not told: it would show whether that inbox exists or wants no mail from us.
    """
    theirs = and_(Delivery.subscriber_id == subscriber_id, Delivery.recipient.is_(None))
    sent = select(func.count()).select_from(Delivery).where(theirs, Delivery.status == DeliveryStatus.SENT)
    rows = (
        select(Newsletter, actual_kind(), Delivery.status, func.coalesce(Delivery.decided_at, Delivery.queued_at))
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Newsletter, Newsletter.id == Letter.newsletter_id)
        .select_from(Delivery)
        .where(theirs)
    )
    last = session.execute(rows.order_by(Delivery.id.desc()).limit(LAST))
    return LettersToReader(session.scalar(sent) or 0, [ReceivedLetter._make(row) for row in last])
