"""Assemble the message of a claimed delivery: its envelope, and the stored letter with the reader's fields."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from newsletter import addresses
from newsletter.consent.signups import renewals
from newsletter.consent.signups.renewals import FormerSignup
from newsletter.keys import Keyring
from newsletter.links import Links, Purpose, minute_of
from newsletter.mail.delivery import words
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

# Each field that is a link has the name of its purpose. The release before writes the link to confirm without the part
# by which it can be renewed. It knows no other field for it: one of its workers would put the letter off.
LINK_IDS: dict[Purpose, Callable[[Claimed], tuple[int | None, ...]]] = {
    Purpose.CONFIRM: lambda claimed: (claimed.signup, claimed.nonce),
    Purpose.NEVER: lambda claimed: (claimed.signup, claimed.nonce),
    Purpose.UNSUBSCRIBE: lambda claimed: (claimed.subscriber, claimed.newsletter),
    Purpose.PREFERENCES: lambda claimed: (claimed.subscriber, claimed.newsletter),
    Purpose.FRESH_PREFERENCES: lambda claimed: (claimed.subscriber, minute_of(claimed.first_tried_at)),
    Purpose.CHANGE_ADDRESS: lambda claimed: (claimed.address_change, claimed.change_nonce),
    Purpose.OPERATOR_LINK: lambda claimed: (claimed.operator_link,),
}


class FieldFunctions(dict[str, Callable[[Claimed], str | bytes]]):
    """The function of each field by its name. Those of words, in any language, are made when they are needed."""

    def __missing__(self, name: str) -> Callable[[Claimed], str | bytes]:
        function = self[name] = words.function(name)
        return function


class FieldWriter:
    """Writes the fields that differ between readers, with one key. `fields` maps each name to the function for it."""

    def __init__(self, links: Links, keyring: Keyring, key: str) -> None:
        self._mac = keyring.mac_maker("message-id", key=key)
        self._return_path = return_paths.maker(keyring, key=key)
        self.fields = FieldFunctions(
            {
                "to": _recipient,
                "mailbox": _mailbox,
                "date": lambda claimed: _date(claimed.first_tried_at),
                "message_id": self._message_id,
                **{purpose.value: _link(purpose, links.url_maker(purpose, key=key)) for purpose in Purpose},
                Purpose.CONFIRM.value: _renewable(
                    links.url_maker(Purpose.CONFIRM, key=key), renewals.part_maker(keyring, key=key)
                ),
            }
        )

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
            raise words.unknown(purpose)
        value = url(*ids)
        return value if len(value) <= longest else as_bytes(value.decode())

    return link


def _renewable(
    url: Callable[..., bytes], part: Callable[[bytes, FormerSignup], bytes]
) -> Callable[[Claimed], str | bytes]:
    """Return the function that makes the link to confirm with its part, both from a claim alone."""
    link_ids = LINK_IDS[Purpose.CONFIRM]

    def link(claimed: Claimed) -> str | bytes:
        ids = link_ids(claimed)
        if None in ids:
            raise words.unknown(Purpose.CONFIRM)
        value = url(*ids)
        if claimed.asked_for is None or claimed.received_at is None:  # it still confirms
            return as_bytes(value.decode())
        former = FormerSignup(claimed.address, claimed.asked_for, claimed.signup_language, claimed.received_at)
        return as_bytes(b".".join((value, part(value.rpartition(b"/")[2], former))).decode())

    return link


@lru_cache(maxsize=64)
def _date(moment: datetime) -> str | bytes:
    """Format a Date header; cached because the letters of a claim share it."""
    return as_bytes(format_datetime(moment.replace(microsecond=0)))


_isoformat = lru_cache(maxsize=64)(datetime.isoformat)


@lru_cache(maxsize=64)
def _domain(address: str) -> str:
    return address.rpartition("@")[2]


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


# Cached, as greetings are: encoding a name takes as long as all other fields, and most readers share theirs.
@lru_cache(maxsize=CACHED_NAMES)
def _phrase(name: str) -> str:
    plain = words.on_one_line(name)
    return mime.phrase(plain) if plain else ""


def _mailbox(claimed: Claimed) -> str | bytes:
    """Return name and address, or the address alone if there is no name or the address is not ASCII."""
    address = _recipient(claimed)
    name = claimed.name or ""
    if not (address.isascii() and (phrase := _phrase(name))):
        return address
    if simple := beside_to(phrase, address):
        return simple
    try:
        return mime.mailbox(words.on_one_line(name), address)
    except mime.HeaderError:
        raise FieldError("the field mailbox cannot be filled: not an address") from None


def _recipient(claimed: Claimed) -> str:
    try:
        return addresses.envelope(claimed.address)
    except ValueError:
        raise FieldError("the field to cannot be filled: not an address") from None
