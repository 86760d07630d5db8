"""Return paths (VERP): each delivery has its own envelope sender, so that a bounce identifies its delivery.

    b-<delivery>-<when>-<key>-<mac>@bounces.example

Anybody can write to such an address, so it is signed; mail servers on the way may convert it to lower case, so it is
read without regard to case. It has at most 64 octets before the @ (RFC 5321 section 4.5.3.1.1), and names no reader. It
contains the second of the first attempt because a database that was lost assigns its ids a second time.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from newsletter.keys import Keyring

PURPOSE = "return path"
MAC_BYTES = 10  # enough: 80 bits cannot be guessed at the cost of one letter per try


def maker(keyring: Keyring, *, key: str) -> Callable[[int, datetime, str], str]:
    """Return a function that makes the envelope sender of a delivery, its first attempt's time, and a domain.

    The same arguments and key give the same address, so that a repeat has the same envelope sender.
    """
    mac, key_name = keyring.mac_maker(PURPOSE, key=key), key.lower()

    def address(delivery: int, first_tried_at: datetime, domain: str) -> str:
        signed = f"{delivery}-{_second(first_tried_at)}"
        return f"b-{signed}-{key_name}-{mac(signed.encode())[:MAC_BYTES].hex()}@{domain}"

    return address


@lru_cache(maxsize=64)
def _second(moment: datetime) -> int:
    """Return the Unix time in seconds. Cached, because all deliveries claimed together share it."""
    return int(moment.timestamp())
