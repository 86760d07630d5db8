"""Signed, purpose-bound links: what a letter's reader holds in place of a password.

A token is `key-id.payload` in base64url: the ids it stands for as varints, then 16 bytes of MAC over them. It reveals
no address, names its key (so keys can be rotated), cannot be used for another purpose, and is short: the whole URL has
to fit one line of List-Unsubscribe, where nothing may fold it (RFC 8058 section 3.1), and a reader's screen.
Expiry, where there is one, belongs to the row that the ids name; unsubscribe links never expire.
"""

import hmac
from collections.abc import Callable
from enum import StrEnum

from newsletter.errors import LinkUnreadable
from newsletter.keys import Keyring, ascii_text, raw

MAC_BYTES = 16
SHORT = [bytes((number,)) for number in range(0x80)]  # varints of one octet: most newsletters'


class Purpose(StrEnum):
    """What a link may do; each in a letter can only reduce, but for the one that confirms."""

    CONFIRM = "confirm"  # (signup)
    NEVER = "never"  # (signup)
    UNSUBSCRIBE = "unsubscribe"  # (subscriber, newsletter)
    PREFERENCES = "preferences"  # (subscriber)


PATHS = {
    Purpose.CONFIRM: "confirm",
    Purpose.NEVER: "never",
    Purpose.UNSUBSCRIBE: "u",
    Purpose.PREFERENCES: "preferences",
}


class Links:
    """Makes and reads the links of one site."""

    def __init__(self, keyring: Keyring, base_url: str) -> None:
        self.base_url = base_url
        self._keyring = keyring

    def url(self, purpose: Purpose, *ids: int, key: str | None = None) -> str:
        """The whole address, as it stands in a letter."""
        return self.maker(purpose, key=key)(*ids).decode()

    def token(self, purpose: Purpose, *ids: int, key: str | None = None) -> str:
        """The signed ids. Same arguments, same key: same token, so that a repeated letter is the same bytes."""
        return self.url(purpose, *ids, key=key).rpartition("/")[2]

    def maker(self, purpose: Purpose, *, key: str | None = None) -> Callable[..., bytes]:
        """What makes such addresses of ids, in ASCII, prepared once: every letter of an issue needs some."""
        key = key or self._keyring.newest
        before, mac = f"{self.base_url}/{PATHS[purpose]}/{key}.".encode("ascii"), self._keyring.maker(purpose, key=key)

        def url(*ids: int) -> bytes:
            payload = b"".join(map(_varint, ids))
            return before + ascii_text(payload + mac(payload)[:MAC_BYTES])

        return url

    def read(self, token: str, purpose: Purpose) -> tuple[int, ...]:
        """The ids that a token stands for. Raises LinkUnreadable if it is cut, forged or made for another purpose."""
        key, _, rest = token.partition(".")
        try:
            signed = raw(rest)
            payload, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
            known = key in self._keyring and payload
            if known and hmac.compare_digest(mac, self._keyring.mac(purpose, payload, key=key)[:MAC_BYTES]):
                return _numbers(payload)
        except ValueError:
            pass
        raise LinkUnreadable


def _varint(number: int) -> bytes:
    if number < 0x80:
        return SHORT[number]
    out = []
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _numbers(payload: bytes) -> tuple[int, ...]:
    numbers, number, shift = [], 0, 0
    for byte in payload:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number, shift = 0, 0
    return tuple(numbers)
