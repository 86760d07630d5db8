"""Parcels: a claimed delivery becomes an envelope and its reader's own bytes."""

from datetime import timedelta
from email.utils import format_datetime

from newsletter import addresses
from newsletter.keys import Keyring, text
from newsletter.links import Links, Purpose
from newsletter.post import verp
from newsletter.post.claims import Claimed
from newsletter.post.letters import Variant
from newsletter.post.merge import FieldError
from newsletter.post.postman import Parcel

BEGIN_WITHIN = timedelta(seconds=2)  # a reader who left longer ago than this gets no MAIL FROM


class Packer:
    """Makes parcels. What a reader's fields hold comes from the claim, so that a repeat is the same bytes."""

    def __init__(self, links: Links, keyring: Keyring) -> None:
        self._links = links
        self._keyring = keyring

    def pack(self, claimed: Claimed, variant: Variant, *, begin_by: float) -> Parcel:
        """The parcel. Raises FieldError, which repeats no value, where this reader's letter cannot be written."""
        sheet, recipient = variant.sheet, _recipient(claimed)
        body = sheet.fill({field: self._value(field, claimed, recipient) for field in sheet.fields})
        return Parcel(claimed.delivery, claimed.attempt, self._sender(claimed), recipient, body, begin_by)

    def _sender(self, claimed: Claimed) -> str:
        """Where a bounce goes: an address of the delivery's own where the newsletter has a domain for them."""
        if claimed.return_path_domain is None:
            return claimed.sender
        return verp.address(
            self._keyring,
            claimed.delivery,
            claimed.first_tried_at,
            key=claimed.key_id,
            domain=claimed.return_path_domain,
        )

    def _value(self, field: str, claimed: Claimed, recipient: str) -> str:
        match field:
            case "to":
                return recipient
            case "date":
                return format_datetime(claimed.first_tried_at.replace(microsecond=0))
            case "message_id":
                return self._message_id(claimed)
            case "greeting":
                return f"Dear {claimed.name}," if claimed.name else "Dear reader,"
        return self._link(field, claimed)

    def _message_id(self, claimed: Claimed) -> str:
        """Unique for ever: the time is in it because a database that was lost gives its numbers out a second time."""
        occasion = f"{claimed.delivery} {claimed.first_tried_at.isoformat()}"
        mac = self._keyring.mac("message-id", occasion.encode(), key=claimed.key_id)
        return f"<{claimed.delivery}.{text(mac[:12])}@{claimed.sender.rpartition('@')[2]}>"

    def _link(self, field: str, claimed: Claimed) -> str:
        ids: tuple[int | None, ...]
        match field:
            case Purpose.UNSUBSCRIBE:
                ids = (claimed.subscriber, claimed.newsletter)
            case Purpose.PREFERENCES:
                ids = (claimed.subscriber,)
            case Purpose.CONFIRM | Purpose.NEVER:
                ids = (claimed.signup, claimed.nonce)
            case _:
                ids = (None,)
        known = [number for number in ids if number is not None]
        if len(known) < len(ids):
            raise FieldError(f"the field {field} cannot be filled: nothing is known of it here")
        return self._links.url(Purpose(field), *known, key=claimed.key_id)


def _recipient(claimed: Claimed) -> str:
    try:
        return addresses.envelope(claimed.address)
    except ValueError:
        raise FieldError("the field to cannot be filled: this is not an address") from None
