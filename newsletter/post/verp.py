"""Return paths (VERP): each delivery leaves under an envelope sender of its own, so that a bounce says whose it is.

    b-<delivery>-<when>-<key>-<mac>@bounces.example

Anybody can write to such an address, so it is signed; mail servers on the way may put it into lower case, so it means
the same in any. It has at most 64 octets before the @ (RFC 5321 section 4.5.3.1.1), and names no reader. The second of
the first attempt is in it because a database that was lost gives its numbers out a second time.
"""

import hmac
import re
from datetime import UTC, datetime
from typing import NamedTuple

from newsletter.keys import Keyring

PURPOSE = "return path"
MAC_BYTES = 10  # nobody tries 80 bits one letter at a time
LOCAL_PART = re.compile(r"b-([0-9]{1,19}-[0-9]{1,12})-([0-9a-z]{1,8})-([0-9a-f]{20})")


class Returned(NamedTuple):
    """Which delivery came back, and the second of its first attempt, by which an older one of that number differs."""

    delivery: int
    first_tried_at: datetime


def address(keyring: Keyring, delivery: int, first_tried_at: datetime, *, key: str, domain: str) -> str:
    """The envelope sender. Same delivery, same key: same address, so that a repeat leaves under it again."""
    signed = f"{delivery}-{int(first_tried_at.timestamp())}"
    return f"b-{signed}-{key.lower()}-{_mac(keyring, signed, key)}@{domain}"


def read(keyring: Keyring, recipient: str) -> Returned | None:
    """What `address` was made for, by the address that a bounce came to; None for any that it did not make."""
    found = LOCAL_PART.fullmatch(recipient.rpartition("@")[0].lower())
    if not found:
        return None
    signed, named, mac = found.groups()
    keys = [key for key in keyring if key.lower() == named]  # two ids may differ in nothing but their case
    if not any(hmac.compare_digest(mac, _mac(keyring, signed, key)) for key in keys):
        return None
    delivery, second = map(int, signed.split("-"))
    return Returned(delivery, datetime.fromtimestamp(second, UTC))


def _mac(keyring: Keyring, signed: str, key: str) -> str:
    return keyring.mac(PURPOSE, signed.encode(), key=key)[:MAC_BYTES].hex()
