"""Signed links, each for one purpose, that let a reader act without a password.

A token is `key-id.payload` in base64url: ids as varints, then 16 bytes of MAC over them. It reveals no address, names
its key (so keys can be rotated), and cannot be used for another purpose. It is short, because the whole URL must fit
one line of List-Unsubscribe, which must not be folded (RFC 8058 section 3.1).

Letters get forwarded, so a link in a letter tells and does only what concerns its own newsletter, and can end
everything. Only a link that was just mailed to the reader's address, FRESH_PREFERENCES, shows all newsletters; it says
itself when it was mailed. If another link expires, the row that the ids name says when; unsubscribe links never expire.

Mail programs append to a URL what stands beside it: a full stop, a bracket, `&utm_source=x`, a line break. No character
of that kind is in a token's alphabet, so a token ends before the first one, and its MAC proves that it is whole.
What a letter itself appends, `.` and characters of the alphabet, is no part of the token: see
`consent.signups.renewals`.
"""

import hmac
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote

from newsletter.errors import LinkUnreadable
from newsletter.keys import Keyring, from_base64url, to_base64url_bytes

MAC_BYTES = 16
MAX_ID = 2**63 - 1  # a database has no larger one
TOKEN = re.compile(r"[^A-Za-z0-9]*([A-Za-z0-9]+)\.([A-Za-z0-9_-]+)")  # behind blanks, which a broken line leaves
MARKS = "-_"  # characters of the alphabet that also surround a URL in plain text
MAX_MARKS = 4  # that may be appended to a token
ONE_BYTE_VARINTS = [bytes((number,)) for number in range(0x80)]  # cached, because most newsletter ids are below 128


class Purpose(StrEnum):
    """What a link allows. Of those for readers, only CONFIRM and CHANGE_ADDRESS can let an address receive more."""

    CONFIRM = "confirm"
    NEVER = "never"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    FRESH_PREFERENCES = "fresh_preferences"
    CHANGE_ADDRESS = "change_address"  # mailed to the new address, whose owner may agree there
    OPERATOR_LINK = "operator_link"  # to the desk: the row of `operator_links` says what for, and until when


PATHS = {
    Purpose.CONFIRM: "confirm",
    Purpose.NEVER: "never",
    Purpose.UNSUBSCRIBE: "u",
    Purpose.PREFERENCES: "preferences",
    Purpose.FRESH_PREFERENCES: "preferences",
    Purpose.CHANGE_ADDRESS: "address",
    Purpose.OPERATOR_LINK: "desk/link",
}

# How many ids a token of each purpose holds.
IDS = {
    Purpose.CONFIRM: (2,),  # the sign-up and its nonce
    Purpose.NEVER: (2,),  # the same
    Purpose.UNSUBSCRIBE: (2,),  # the subscriber and the newsletter
    Purpose.PREFERENCES: (2, 1),  # the same; in letters of older releases the subscriber alone
    Purpose.FRESH_PREFERENCES: (2,),  # the subscriber and the minute of the letter: see `minute_of`
    Purpose.CHANGE_ADDRESS: (2,),  # the change and its nonce
    Purpose.OPERATOR_LINK: (1,),  # the row of `operator_links`
}

FRESH_HOURS = 12
FRESH_LIFETIME = timedelta(hours=FRESH_HOURS)  # of a link to the page of all newsletters
CLOCK_SKEW = timedelta(minutes=10)  # between two machines of the service, at most


def minute_of(moment: datetime) -> int:
    """Return the minute in which a letter was mailed, counted from 1970 on: an id of its FRESH_PREFERENCES link."""
    return int(moment.timestamp()) // 60


def mailed_at(minute: int) -> datetime:
    """Return when a minute of `minute_of` began."""
    return datetime.fromtimestamp(minute * 60, UTC)


def fresh_until(minute: int) -> datetime:
    """Return when a FRESH_PREFERENCES link of this minute ends."""
    return mailed_at(minute) + FRESH_LIFETIME


def is_fresh(minute: int, *, now: datetime) -> bool:
    """Return whether a FRESH_PREFERENCES link of this minute works now."""
    return minute_of(now - FRESH_LIFETIME) < minute <= minute_of(now + CLOCK_SKEW)


class ReadToken(NamedTuple):
    """A token that was read."""

    ids: tuple[int, ...]
    token: str  # as it was made
    rest: str  # what follows it


class Links:
    """Makes and reads the links of one site. Those for operators lead to the desk, which may have its own origin."""

    def __init__(self, keyring: Keyring, base_url: str, desk_url: str | None = None) -> None:
        self.base_url = base_url
        self.desk_url = desk_url or base_url
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
        site = self.desk_url if purpose is Purpose.OPERATOR_LINK else self.base_url
        prefix = f"{site}/{PATHS[purpose]}/{key}.".encode("ascii")
        mac = self._keyring.mac_maker(purpose, key=key)
        encode = _subscriber_first if purpose is Purpose.PREFERENCES else _varints

        def url(*ids: int) -> bytes:
            payload = encode(ids)
            return prefix + to_base64url_bytes(payload + mac(payload)[:MAC_BYTES])

        return url

    def read(self, token: str, purpose: Purpose) -> tuple[int, ...]:
        """Return a token's ids, whatever follows the token.

        Raises LinkUnreadable if it is cut off, forged or made for another purpose.
        """
        return self.read_with_rest(token, purpose).ids

    def read_with_rest(self, token: str, purpose: Purpose) -> ReadToken:
        """Return the same with what follows the token. Raises as `read` does."""
        for key, encoded, rest in _candidates(token):
            signed = from_base64url(encoded)
            payload, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
            known = key in self._keyring and payload
            if known and hmac.compare_digest(mac, self._keyring.mac(purpose, payload, key=key)[:MAC_BYTES]):
                return ReadToken(_ids(payload, purpose), f"{key}.{encoded}", rest)
        raise LinkUnreadable


def _varints(ids: tuple[int, ...]) -> bytes:
    return b"".join(map(_varint, ids))


def _subscriber_first(ids: tuple[int, ...]) -> bytes:
    """Write the second id without an end: the release before ignores it, and reads the subscriber alone."""
    payload = _varints(ids)
    return payload if len(ids) == 1 else payload[:-1] + bytes((payload[-1] | 0x80,))


def _candidates(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each token that the text may begin with: the key's id, the signed bytes as encoded, and what follows."""
    for spelling in dict.fromkeys((text, unquote(text))):  # a program may have percent-encoded the URL once more
        if found := TOKEN.match(spelling):
            key, encoded = found.groups()
            for whole in without_marks(encoded):
                yield key, whole, spelling[found.start(2) + len(whole) :]


def without_marks(encoded: str) -> Iterator[str]:
    """Yield what is base64url of a text that marks may follow, the longest first."""
    for marks in range(MAX_MARKS + 1):
        shorter = encoded[: len(encoded) - marks]
        if not shorter or encoded[len(shorter) :].strip(MARKS):
            break
        with suppress(ValueError):
            from_base64url(shorter)
            yield shorter


def _varint(number: int) -> bytes:
    if number < 0x80:
        return ONE_BYTE_VARINTS[number]
    out = []
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _ids(payload: bytes, purpose: Purpose) -> tuple[int, ...]:
    """Return the ids in a payload. Raises LinkUnreadable if no link of this purpose holds them."""
    numbers, number, shift = [], 0, 0
    for byte in payload:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number, shift = 0, 0
    if shift:  # without an end: see `_subscriber_first`
        numbers.append(number)
    is_open = purpose is Purpose.PREFERENCES and len(numbers) == 2
    if bool(shift) != is_open or len(numbers) not in IDS[purpose] or max(numbers) > MAX_ID:
        raise LinkUnreadable
    return tuple(numbers)
