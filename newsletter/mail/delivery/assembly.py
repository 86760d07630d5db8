"""Assemble the message of a claimed delivery: its envelope, and the stored letter with the reader's fields."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from newsletter import addresses, templating
from newsletter.consent.signups import LINK_LIFETIME
from newsletter.keys import Keyring
from newsletter.languages.languages import ENGLISH
from newsletter.links import Links, Purpose, fresh_until, minute_of
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.letters import mime
from newsletter.mail.letters.fields import CACHED_NAMES, MAX_HEADER_VALUE, as_bytes, beside_to
from newsletter.mail.letters.letters import Variant
from newsletter.mail.letters.merge import FieldError
from newsletter.mail.transport import return_paths
from newsletter.mail.transport.transport import Message

# A message that has not begun this long after its claim is released: only the claim checks consent. So no letter begins
# for a reader who unsubscribed longer ago.
BEGIN_WITHIN = timedelta(seconds=2)

# Each field that is a link has the name of its purpose.
LINK_IDS: dict[Purpose, Callable[[Claimed], tuple[int | None, ...]]] = {
    Purpose.CONFIRM: lambda claimed: (claimed.signup, claimed.nonce),
    Purpose.NEVER: lambda claimed: (claimed.signup, claimed.nonce),
    Purpose.UNSUBSCRIBE: lambda claimed: (claimed.subscriber, claimed.newsletter),
    Purpose.PREFERENCES: lambda claimed: (claimed.subscriber, claimed.newsletter),
    Purpose.FRESH_PREFERENCES: lambda claimed: (claimed.subscriber, minute_of(claimed.first_tried_at)),
}


class FieldWriter:
    """Writes the fields that differ between readers, with one key. `fields` maps each name to the function for it."""

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
            "fresh_until": _fresh_until,
            **{purpose.value: _link(purpose, links.url_maker(purpose, key=key)) for purpose in Purpose},
        }

    def sender(self, claimed: Claimed) -> str:
        """Return the envelope sender, where bounces go: one per delivery if the newsletter has a return path domain."""
        if claimed.return_path_domain is None:
            return claimed.sender
        return self._return_path(claimed.delivery, claimed.first_tried_at, claimed.return_path_domain)

    def _message_id(self, claimed: Claimed) -> bytes:
        """Return a Message-ID that stays unique: a restored database assigns ids again, so the time is part of it."""
        mac = self._mac(f"{claimed.delivery} {_isoformat(claimed.first_tried_at)}".encode())
        return f"<{claimed.delivery}.{mac[:12].hex()}@{_domain(claimed.sender)}>".encode("ascii")


def _link(purpose: Purpose, url: Callable[..., bytes]) -> Callable[[Claimed], str | bytes]:
    """Return the function that makes a link from a claim."""
    link_ids = LINK_IDS[purpose]
    # Two links differ in base64url characters only: if one can be written verbatim, so can all that are short enough.
    longest = MAX_HEADER_VALUE if isinstance(as_bytes(url(0).decode()), bytes) else 0

    def link(claimed: Claimed) -> str | bytes:
        ids = link_ids(claimed)
        if None in ids:
            raise _unknown(purpose)
        value = url(*ids)
        return value if len(value) <= longest else as_bytes(value.decode())

    return link


def _times(claimed: Claimed) -> dict[str, str]:
    if claimed.received_at is None or claimed.asked_at is None:
        raise _unknown("requested_at")
    return confirmation_times(claimed.received_at, claimed.asked_at, claimed.zone)


def _fresh_until(claimed: Claimed) -> str:
    until = fresh_until(minute_of(claimed.first_tried_at))
    return ENGLISH.when(templating.local(until, claimed.zone))


@lru_cache(maxsize=64)
def _date(moment: datetime) -> str | bytes:
    """Format a Date header; cached because the letters of a claim share it."""
    return as_bytes(format_datetime(moment.replace(microsecond=0)))


_isoformat = lru_cache(maxsize=64)(datetime.isoformat)


@lru_cache(maxsize=64)
def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _unknown(field: str) -> FieldError:
    return FieldError(f"the field {field} cannot be filled: this delivery has no value for it")


class Assembler:
    """Assembles messages. All field values come from the claim, so that a repeat has the same bytes."""

    def __init__(self, links: Links, keyring: Keyring) -> None:
        self._links = links
        self._keyring = keyring
        self._writers: dict[str, FieldWriter] = {}  # by key; there are few keys

    def assemble(self, claimed: Claimed, variant: Variant, *, begin_by: float) -> Message:
        """Return the message of a delivery; it must begin by `begin_by` (monotonic).

        Raises FieldError, which quotes no value, if this reader's letter cannot be written. Raises KeyError for a field
        that this release does not know, if a newer release laid the letter out.
        """
        sheet, writer = variant.sheet, self._writers.get(claimed.key_id) or self._writer(claimed.key_id)
        values = {field: writer.fields[field](claimed) for field in sheet.fields}
        body = sheet.fill(values)
        return Message(claimed.delivery, claimed.attempt, writer.sender(claimed), _recipient(claimed), body, begin_by)

    def _writer(self, key: str) -> FieldWriter:
        return self._writers.setdefault(key, FieldWriter(self._links, self._keyring, key))


# Names are cached: encoding one takes as long as all the reader's other fields, and most readers share theirs.


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
        raise FieldError("the field name cannot be filled: it contains a control character or half a surrogate pair")
    return name


def _mailbox(claimed: Claimed) -> str | bytes:
    """Return name and address, or the address alone if there is no name or the address is not ASCII."""
    address = _recipient(claimed)
    name = claimed.name or ""
    if not (address.isascii() and (phrase := _phrase(name))):
        return address
    if simple := beside_to(phrase, address):
        return simple
    try:
        return mime.mailbox(_on_one_line(name), address)
    except mime.HeaderError:
        raise FieldError("the field mailbox cannot be filled: not an address") from None


def confirmation_times(received_at: datetime, asked_at: datetime, zone: str) -> dict[str, str]:
    """Return the fields of a confirmation letter that say when the sign-up came and when its link expires.

    The link lives from the time when the letter was owed (`asked_at`), which may be hours later.
    """
    return {
        "requested_at": ENGLISH.exactly(templating.local(received_at, zone)),
        "expires_at": _expires_at(asked_at, zone),
    }


@lru_cache(maxsize=64)
def _expires_at(asked_at: datetime, zone: str) -> str:
    """Format the end of a link's life; cached because the letters of a set share it."""
    return ENGLISH.when(templating.local(asked_at + LINK_LIFETIME, zone))


def _recipient(claimed: Claimed) -> str:
    try:
        return addresses.envelope(claimed.address)
    except ValueError:
        raise FieldError("the field to cannot be filled: not an address") from None
