"""Delete changes of address once their time is over, and the letters about them with both addresses."""

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.subscribers.address_changes import AddressChange, AddressChangeState
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.privacy import folding

BATCH_SIZE = 100  # changes in one transaction
CONFIRMED_LIFETIME = timedelta(days=7)  # so long the link says that the change is done, and the notice may be late


def forget_due(session: Session, *, now: datetime, limit: int = BATCH_SIZE) -> int:
    """Delete the changes that are due; return how many, at most `limit`.

    One that nobody confirmed is due after 72 hours, a confirmed one after a week: the ledger has its evidence. One
    whose letter a worker is sending now stays for the next call.
    """
    was_confirmed = AddressChange.state == AddressChangeState.CONFIRMED
    is_over = or_(~was_confirmed, and_(was_confirmed, AddressChange.decided_at <= now - CONFIRMED_LIFETIME))
    due = select(AddressChange.id).where(AddressChange.asked_at <= now - LINK_LIFETIME, is_over)
    in_order = due.order_by(AddressChange.asked_at).limit(limit).with_for_update(skip_locked=True)
    ids = session.scalars(in_order).all()
    if not ids:
        return 0
    folding.fold(session, Letter.address_change_id.in_(ids), kind=LetterKind.ADDRESS, now=now)
    without_letter = ~exists().where(Letter.address_change_id == AddressChange.id)
    gone = session.scalars(
        delete(AddressChange).where(AddressChange.id.in_(ids), without_letter).returning(AddressChange.id)
    ).all()
    return len(gone)
