"""What an expired confirmation link still knows of its sign-up, so that one press mails a new one.

A sign-up that nobody confirmed is deleted with its address, as the words of consent promise. So the link itself carries
what a new one takes, encrypted: `token.part`. Whoever holds the letter cannot read the part, and the service keeps
nothing. A part is bound to its token, and opens only together with it. Every release that knows no parts ignores what
follows a token; a link whose part was cut off still confirms, and only cannot be renewed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.signups.confirmation_links import ConfirmationLink
from newsletter.encryption import Cipher
from newsletter.keys import Keyring, from_base64url, to_base64url_bytes
from newsletter.links import ReadToken, without_marks

PURPOSE = "renewal part"  # of the keys that encrypt
VERSION = "1"
PART = re.compile(r"\.([A-Za-z0-9_-]+)")
ENTERED = (EvidenceField.NAME, EvidenceField.LANGUAGE, EvidenceField.TIMEZONE)


class FormerSignup(NamedTuple):
    """The sign-up that a link asked to confirm."""

    address: str  # to which the letter went, as written
    newsletters: Sequence[int]
    language: str | None  # a tag; None: a release before stored none
    received_at: datetime
    entered: Mapping[str, str] = {}  # beside the address, as evidence; a part carries none of it


def of_row(link: ConfirmationLink) -> FormerSignup:
    """Return a sign-up whose row still exists, with what can still be confirmed of it."""
    row = link.signup
    entered = {str(field): row.evidence[field] for field in ENTERED if field in row.evidence}
    numbers = tuple(each.id for each in link.confirmable)
    return FormerSignup(row.address, numbers, link.language, row.received_at, entered)


def part_maker(keyring: Keyring, *, key: str) -> Callable[[bytes, FormerSignup], bytes]:
    """Return the function that makes the part of a token. The same sign-up gives the same part."""
    cipher = Cipher(keyring, PURPOSE, key=key)

    def part(token: bytes, signup: FormerSignup) -> bytes:
        return to_base64url_bytes(cipher.encrypt(_written(signup).encode(), context=token))

    return part


def read(keyring: Keyring, link: ReadToken) -> FormerSignup | None:
    """Return the sign-up that a link carries, whatever follows its part; None without a part of its own."""
    found = PART.match(link.rest)
    if not found:
        return None
    cipher = Cipher(keyring, PURPOSE, key=link.token.partition(".")[0])
    for encoded in without_marks(found[1]):
        text = cipher.decrypt(from_base64url(encoded), context=link.token.encode())
        if text is not None:
            return _read(text.decode())
    return None


def _written(signup: FormerSignup) -> str:
    numbers = ",".join(map(str, signup.newsletters))
    received_at = int(signup.received_at.timestamp())
    return f"{VERSION} {numbers} {signup.language or ''} {received_at} {signup.address}"


def _read(text: str) -> FormerSignup | None:
    version, _, rest = text.partition(" ")
    if version != VERSION:  # of a newer release
        return None
    numbers, tag, received_at, address = rest.split(" ", 3)
    moment = datetime.fromtimestamp(int(received_at), UTC)
    return FormerSignup(address, tuple(map(int, numbers.split(","))), tag or None, moment)
