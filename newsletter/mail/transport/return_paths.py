"""Return paths (VERP): each delivery leaves under an envelope sender of its own, so that a bounce says whose it is.

    b-<delivery>-<when>-<key>-<mac>@bounces.example

Anybody can write to such an address, so it is signed; mail servers on the way may put it into lower case, so it means
the same in any. It has at most 64 octets before the @ (RFC 5321 section 4.5.3.1.1), and names no reader. The second of
the first attempt is in it because a database that was lost gives its numbers out a second time.
"""

import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from newsletter.keys import Keyring

PURPOSE = "return path"
MAC_BYTES = 10  # nobody tries 80 bits one letter at a time
LOCAL_PART = re.compile(r"b-([0-9]{1,19}-[0-9]{1,12})-([0-9a-z]{1,8})-([0-9a-f]{20})")


class Returned(NamedTuple):
    """Which delivery came back, and the second of its first attempt, by which an older one of that number differs."""

    delivery: int
    first_tried_at: datetime


def maker(keyring: Keyring, *, key: str) -> Callable[[int, datetime, str], str]:
    """What makes envelope senders of a delivery, the time of its first attempt, and a domain.

    Same delivery, same key: same address, so that a repeat leaves under it again.
    """
    mac, named = keyring.maker(PURPOSE, key=key), key.lower()

    def address(delivery: int, first_tried_at: datetime, domain: str) -> str:
        signed = f"{delivery}-{_second(first_tried_at)}"
        return f"b-{signed}-{named}-{mac(signed.encode())[:MAC_BYTES].hex()}@{domain}"

    return address


@lru_cache(maxsize=64)
def _second(moment: datetime) -> int:
    """All that is claimed at once has the same."""
    return int(moment.timestamp())


def read(keyring: Keyring, recipient: str) -> Returned | None:
    """Which delivery an address was made for, by the address that a bounce came to; None for any other."""
    found = LOCAL_PART.fullmatch(recipient.rpartition("@")[0].lower())
    if not found:
        return None
    signed, named, mac = found.groups()
    keys = [key for key in keyring if key.lower() == named]  # two ids may differ in nothing but their case
    right = [keyring.mac(PURPOSE, signed.encode(), key=key)[:MAC_BYTES].hex() for key in keys]
    if not any(hmac.compare_digest(mac, each) for each in right):
        return None
    delivery, second = map(int, signed.split("-"))
    return Returned(delivery, datetime.fromtimestamp(second, UTC))
