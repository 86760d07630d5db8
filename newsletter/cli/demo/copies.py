"""Make copies of sent letters from what is stored."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.claims import read_claimed
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.letters.letters import Variant

LONG_AGO = 0.0  # monotonic: a copy is past its `begin_by`, so no transport can send it


def sent(session: Session, assembler: Assembler) -> list[bytes]:
    """Return every letter that a relay or the outbox took, byte for byte, in the order in which they were due.

    Raises FieldError if data that a letter was assembled from is gone, such as after an erasure.
    """
    is_sent = has_status(DeliveryStatus.SENT)
    needed = select(Variant).where(Variant.id.in_(select(Delivery.variant_id).where(is_sent)))
    variants = {variant.id: variant for variant in session.scalars(needed)}
    claimed = read_claimed(session, is_sent)
    return [b"".join(assembler.assemble(each, variants[each.variant], begin_by=LONG_AGO).body) for each in claimed]
