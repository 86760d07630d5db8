"""Return paths (VERP): each delivery leaves under an envelope sender of its own, so that a bounce says whose it is.

    b-<delivery>-<when>-<key>-<mac>@bounces.example

Anybody can write to such an address, so it is signed; mail servers on the way may put it into lower case, so it means
the same in any. It has at most 64 octets before the @ (RFC 5321 section 4.5.3.1.1), and names no reader. The second of
the first attempt is in it because a database that was lost gives its numbers out a second time.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from newsletter.keys import Keyring

PURPOSE = "return path"
MAC_BYTES = 10  # nobody tries 80 bits one letter at a time


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
