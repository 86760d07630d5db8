"""Parcels: a claimed delivery becomes an envelope and its reader's own bytes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from newsletter import addresses, templating
from newsletter.consent.signups import LINK_LIFETIME
from newsletter.keys import Keyring
from newsletter.links import Links, Purpose
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.letters import mime
from newsletter.mail.letters.fields import CACHED_NAMES, MAX_HEADER_VALUE, as_bytes, beside_to
from newsletter.mail.letters.letters import Variant
from newsletter.mail.letters.merge import FieldError
from newsletter.mail.transport import return_paths
from newsletter.mail.transport.transport import Message

BEGIN_WITHIN = timedelta(seconds=2)  # a reader who left longer ago than this gets no MAIL FROM

NAMED: dict[Purpose, Callable[[Claimed], tuple[int | None, ...]]] = {
    Purpose.CONFIRM: lambda claimed: (claimed.signup, claimed.nonce),
    Purpose.NEVER: lambda claimed: (claimed.signup, claimed.nonce),
    Purpose.UNSUBSCRIBE: lambda claimed: (claimed.subscriber, claimed.newsletter),
    Purpose.PREFERENCES: lambda claimed: (claimed.subscriber,),
}


class VariantAssembler:
    """Writes what differs between readers, with one key. `fields` says how each field is made of a claim."""

    def __init__(self, links: Links, keyring: Keyring, key: str) -> None:
        self._mac = keyring.mac_maker("message-id", key=key)
        self._return_path = return_paths.maker(keyring, key=key)
        self.fields: dict[str, Callable[[Claimed], str | bytes]] = {
            "to": _recipient,
            "mailbox": _mailbox,
            "date": lambda claimed: _date(claimed.first_tried_at),
            "message_id": self._message_id,
            "greeting": lambda claimed: _greeting(claimed.name) if claimed.name else b"Dear reader,",
            "requested_at": lambda claimed: _times(claimed)["requested_at"],
            "expires_at": lambda claimed: _times(claimed)["expires_at"],
            **{purpose.value: _link(purpose, links.url_maker(purpose, key=key)) for purpose in Purpose},
        }

    def sender(self, claimed: Claimed) -> str:
        """Where a bounce goes: an address of the delivery's own where the newsletter has a domain for them."""
        if claimed.return_path_domain is None:
            return claimed.sender
        return self._return_path(claimed.delivery, claimed.first_tried_at, claimed.return_path_domain)

    def _message_id(self, claimed: Claimed) -> bytes:
        """Unique for ever: the time is in it because a database that was lost gives its numbers out a second time."""
        mac = self._mac(f"{claimed.delivery} {_exactly(claimed.first_tried_at)}".encode())
        return f"<{claimed.delivery}.{mac[:12].hex()}@{_domain(claimed.sender)}>".encode("ascii")


def _link(purpose: Purpose, url: Callable[..., bytes]) -> Callable[[Claimed], str | bytes]:
    """How a link is made of a claim."""
    named = NAMED[purpose]
    # All that differs between two of them is base64url: one that is plain speaks for all that are not too long.
    longest = MAX_HEADER_VALUE if isinstance(as_bytes(url(0).decode()), bytes) else 0

    def link(claimed: Claimed) -> str | bytes:
        ids = named(claimed)
        if None in ids:
            raise _unknown(purpose)
        made = url(*ids)
        return made if len(made) <= longest else as_bytes(made.decode())

    return link


def _times(claimed: Claimed) -> dict[str, str]:
    if claimed.asked_at is None:
        raise _unknown("requested_at")
    return times(claimed.asked_at, claimed.zone)


@lru_cache(maxsize=64)
def _date(moment: datetime) -> str | bytes:
    """A claim's letters share it."""
    return as_bytes(format_datetime(moment.replace(microsecond=0)))


_exactly = lru_cache(maxsize=64)(datetime.isoformat)


@lru_cache(maxsize=64)
def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _unknown(field: str) -> FieldError:
    return FieldError(f"the field {field} cannot be filled: nothing is known of it here")


class Assembler:
    """Makes parcels. What a reader's fields hold comes from the claim, so that a repeat is the same bytes."""

    def __init__(self, links: Links, keyring: Keyring) -> None:
        self._links = links
        self._keyring = keyring
        self._pens: dict[str, VariantAssembler] = {}

    def pack(self, claimed: Claimed, variant: Variant, *, begin_by: float) -> Message:
        """The parcel. Raises FieldError, which repeats no value, where this reader's letter cannot be written.

        Raises KeyError for a field that this release does not know: a newer one, which laid the letter out, does.
        """
        sheet, pen = variant.sheet, self._pens.get(claimed.key_id) or self._pen(claimed.key_id)
        values = {field: pen.fields[field](claimed) for field in sheet.fields}
        body = sheet.fill(values)
        return Message(claimed.delivery, claimed.attempt, pen.sender(claimed), _recipient(claimed), body, begin_by)

    def _pen(self, key: str) -> VariantAssembler:
        """What writes with a delivery's key. There are as many as there are keys, so each is kept."""
        return self._pens.setdefault(key, VariantAssembler(self._links, self._keyring, key))


# To encode a name takes as long as all else that is its reader's; most share theirs with others.


@lru_cache(maxsize=CACHED_NAMES)
def _greeting(name: str) -> str | bytes:
    return as_bytes(f"Dear {_on_one_line(name)},")


@lru_cache(maxsize=CACHED_NAMES)
def _phrase(name: str) -> str:
    plain = _on_one_line(name)
    return mime.phrase(plain) if plain else ""


def _on_one_line(name: str) -> str:
    name = " ".join(name.split())
    if mime.CONTROLS.search(name):
        raise FieldError("the field name cannot be filled: it has a control character, or half of a character")
    return name


def _mailbox(claimed: Claimed) -> str | bytes:
    """The reader by name, as their mail program shows it, where a name is known and the address can stand beside it."""
    address = _recipient(claimed)
    name = claimed.name or ""
    if not (address.isascii() and (phrase := _phrase(name))):
        return address
    if simple := beside_to(phrase, address):
        return simple
    try:
        return mime.mailbox(_on_one_line(name), address)
    except mime.HeaderError:
        raise FieldError("the field mailbox cannot be filled: this is not an address") from None


def times(asked_at: datetime, zone: str) -> dict[str, str]:
    """What a confirmation letter says of its sign-up: when it came, and until when its link works."""
    return {
        "requested_at": templating.exactly(templating.local(asked_at, zone)),
        "expires_at": templating.when(templating.local(asked_at + LINK_LIFETIME, zone)),
    }


def _recipient(claimed: Claimed) -> str:
    try:
        return addresses.envelope(claimed.address)
    except ValueError:
        raise FieldError("the field to cannot be filled: this is not an address") from None
