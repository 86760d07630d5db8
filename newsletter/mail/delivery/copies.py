"""Copies: the letters that left, made once more from what is stored."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.claims import details
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, stands
from newsletter.mail.letters.letters import Variant

OVER = 0.0  # monotonic: long ago, so that no postman takes a copy for a letter that is owed


def sent(session: Session, assembler: Assembler) -> list[bytes]:
    """Every letter that a postman has taken, byte for byte, in the order in which they were due.

    Raises FieldError where what one was made of is forgotten by now, as it is after an erasure.
    """
    left = stands(DeliveryStatus.SENT)
    needed = select(Variant).where(Variant.id.in_(select(Delivery.variant_id).where(left)))
    variants = {variant.id: variant for variant in session.scalars(needed)}
    claimed = details(session, left)
    return [b"".join(assembler.pack(each, variants[each.variant], begin_by=OVER).body) for each in claimed]
