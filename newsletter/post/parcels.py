"""Parcels: a claimed delivery becomes an envelope and its reader's own bytes."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from email.utils import format_datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.keys import Keyring, text
from newsletter.links import Links, Purpose
from newsletter.newsletters import Newsletter
from newsletter.post.claims import Claimed
from newsletter.post.letters import Variant
from newsletter.post.merge import Sheet
from newsletter.post.postman import Parcel

BEGIN_WITHIN = timedelta(seconds=2)  # a reader who left longer ago than this gets no MAIL FROM
KEPT = 64  # sheets in memory: issues share one, confirmations have one each


class Packer:
    """Makes parcels; keeps the sheets that it used last."""

    def __init__(self, links: Links, keyring: Keyring) -> None:
        self._links = links
        self._keyring = keyring
        self._sheets: OrderedDict[int, tuple[Sheet, str]] = OrderedDict()

    def learn(self, session: Session, claimed: Sequence[Claimed]) -> None:
        """Read the sheets and senders that these deliveries need, while a transaction is open."""
        needed = {each.variant for each in claimed}
        while len(self._sheets) > KEPT:
            self._sheets.popitem(last=False)
        missing = needed - self._sheets.keys()
        if missing:
            senders = dict(session.execute(select(Newsletter.id, Newsletter.sender)).all())
            newsletter = {each.variant: each.newsletter for each in claimed}
            for variant in session.scalars(select(Variant).where(Variant.id.in_(missing))):
                self._sheets[variant.id] = (variant.sheet(), senders[newsletter[variant.id]])

    def pack(self, claimed: Claimed, *, begin_by: float) -> Parcel:
        """The parcel; the same delivery gives the same bytes in every attempt."""
        sheet, sender = self._sheets[claimed.variant]
        recipient = addresses.envelope(claimed.address)
        values = self._values(claimed, recipient, sender.rpartition("@")[2])
        wanted = {cut.field for cut in sheet.cuts}
        body = sheet.fill({name: value for name, value in values.items() if name in wanted})
        return Parcel(claimed.delivery, claimed.attempt, sender, recipient, body, begin_by)

    def _values(self, claimed: Claimed, recipient: str, domain: str) -> dict[str, str]:
        url, key = self._links.url, claimed.key_id
        identity = text(self._keyring.mac("message-id", str(claimed.delivery).encode(), key=key)[:12])
        values = {
            "to": recipient,
            "date": format_datetime(claimed.first_tried_at.replace(microsecond=0)),
            "message_id": f"<{claimed.delivery}.{identity}@{domain}>",
            "greeting": f"Dear {claimed.name}," if claimed.name else "Dear reader,",
        }
        if claimed.subscriber is not None:
            values["unsubscribe"] = url(Purpose.UNSUBSCRIBE, claimed.subscriber, claimed.newsletter, key=key)
            values["preferences"] = url(Purpose.PREFERENCES, claimed.subscriber, key=key)
        if claimed.signup is not None and claimed.nonce is not None:
            values["confirm"] = url(Purpose.CONFIRM, claimed.signup, claimed.nonce, key=key)
            values["never"] = url(Purpose.NEVER, claimed.signup, claimed.nonce, key=key)
        return values
