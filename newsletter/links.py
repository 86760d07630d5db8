"""Signed links, each for one purpose, that let a reader act without a password.

A token is `key-id.payload` in base64url: ids as varints, then 16 bytes of MAC over them. It reveals no address, names
its key (so keys can be rotated), and cannot be used for another purpose. It is short, because the whole URL must fit
one line of List-Unsubscribe, which must not be folded (RFC 8058 section 3.1).

Letters get forwarded, so a link in a letter tells and does only what concerns its own newsletter, and can end
everything. Only a link that was just mailed to the reader's address, FRESH_PREFERENCES, shows all newsletters.
If a link expires, the row that the ids name says when; unsubscribe links never expire.
"""

import hmac
from collections.abc import Callable
from enum import StrEnum

from newsletter.errors import LinkUnreadable
from newsletter.keys import Keyring, from_base64url, to_base64url_bytes

MAC_BYTES = 16
ONE_BYTE_VARINTS = [bytes((number,)) for number in range(0x80)]  # cached, because most newsletter ids are below 128


class Purpose(StrEnum):
    """What a link allows. All but CONFIRM can only reduce what an address receives."""

    CONFIRM = "confirm"  # (signup)
    NEVER = "never"  # (signup)
    UNSUBSCRIBE = "unsubscribe"  # (subscriber, newsletter)
    PREFERENCES = "preferences"  # (subscriber, newsletter); in letters of older releases (subscriber)
    FRESH_PREFERENCES = "fresh-preferences"  # (subscriber, the minute of its letter, counted from 1970 on)


PATHS = {
    Purpose.CONFIRM: "confirm",
    Purpose.NEVER: "never",
    Purpose.UNSUBSCRIBE: "u",
    Purpose.PREFERENCES: "preferences",
    Purpose.FRESH_PREFERENCES: "preferences",
}


class Links:
    """Makes and reads the links of one site."""

    def __init__(self, keyring: Keyring, base_url: str) -> None:
        self.base_url = base_url
        self._keyring = keyring

    def url(self, purpose: Purpose, *ids: int, key: str | None = None) -> str:
        """Return the absolute URL for a letter."""
        return self.url_maker(purpose, key=key)(*ids).decode()

    def token(self, purpose: Purpose, *ids: int, key: str | None = None) -> str:
        """Return the signed ids. The same ids and key give the same token, so a repeated letter has the same bytes."""
        return self.url(purpose, *ids, key=key).rpartition("/")[2]

    def url_maker(self, purpose: Purpose, *, key: str | None = None) -> Callable[..., bytes]:
        """Return the function that makes these URLs from ids, as ASCII bytes, for the many letters of an issue."""
        key = key or self._keyring.newest
        prefix = f"{self.base_url}/{PATHS[purpose]}/{key}.".encode("ascii")
        mac = self._keyring.mac_maker(purpose, key=key)
        encode = _subscriber_first if purpose is Purpose.PREFERENCES else _varints

        def url(*ids: int) -> bytes:
            payload = encode(ids)
            return prefix + to_base64url_bytes(payload + mac(payload)[:MAC_BYTES])

        return url

    def read(self, token: str, purpose: Purpose) -> tuple[int, ...]:
        """Return a token's ids. Raises LinkUnreadable if it is cut off, forged or made for another purpose."""
        key, _, rest = token.partition(".")
        try:
            signed = from_base64url(rest)
            payload, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
            known = key in self._keyring and payload
            if known and hmac.compare_digest(mac, self._keyring.mac(purpose, payload, key=key)[:MAC_BYTES]):
                return _numbers(payload)
        except ValueError:
            pass
        raise LinkUnreadable


def _varints(ids: tuple[int, ...]) -> bytes:
    return b"".join(map(_varint, ids))


def _subscriber_first(ids: tuple[int, ...]) -> bytes:
    """Write the second id without an end: the release before ignores it, and reads the subscriber alone."""
    payload = _varints(ids)
    return payload if len(ids) == 1 else payload[:-1] + bytes((payload[-1] | 0x80,))


def _varint(number: int) -> bytes:
    if number < 0x80:
        return ONE_BYTE_VARINTS[number]
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
    if shift:
        numbers.append(number)  # without an end: see `_subscriber_first`
    return tuple(numbers)
