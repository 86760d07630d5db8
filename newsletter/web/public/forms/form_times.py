"""The signed time in a form: when our server showed it, by our own clock, in a value that nobody else can write.

A cache between us and the visitor can only make a form look older than it is. So a form that looks young is young, and
one that looks old proves nothing. A public page is the same for everybody, and stays so for five minutes, so that a
browser that has it gets 304: its time is rounded down so far that the page never makes a form look young. A form made
for one request, as the box's, states the second.
"""

from datetime import UTC, datetime, timedelta
from hmac import compare_digest

from newsletter.consent.limits.form_signs import YOUNGEST
from newsletter.keys import Keyring, to_base64url

PURPOSE = "form time"
MAC_BYTES = 12  # a guessed time is worth nothing but a place in the faster lane
PUBLIC_SECONDS = 300  # for which a public page stays the same
MAX_DIGITS = 12


def stamp(keyring: Keyring, *, now: datetime) -> str:
    """Return the time in Unix seconds, rounded down, with a MAC: "k1.1790000000.MAC"."""
    return _stamp(keyring, int(now.timestamp()))


def stamp_of_public_page(keyring: Keyring, *, now: datetime) -> str:
    """Return a time that stays the same for five minutes, and at which no form is young any more."""
    return _stamp(keyring, int((now - YOUNGEST).timestamp()) // PUBLIC_SECONDS * PUBLIC_SECONDS)


def age(keyring: Keyring, stamped: str, *, now: datetime) -> timedelta | None:
    """Return how long ago a form was shown, in whole seconds or more precisely; None if it does not say so credibly."""
    key, _, rest = stamped.partition(".")
    seconds, _, mac = rest.partition(".")
    is_number = seconds.isascii() and seconds.isdecimal() and len(seconds) <= MAX_DIGITS
    if not is_number or key not in keyring or not mac.isascii():
        return None
    if not compare_digest(mac, _mac(keyring, key, seconds)):
        return None
    return now - datetime.fromtimestamp(int(seconds), UTC)


def _stamp(keyring: Keyring, at: int) -> str:
    seconds = str(at)
    return f"{keyring.newest}.{seconds}.{_mac(keyring, keyring.newest, seconds)}"


def _mac(keyring: Keyring, key: str, seconds: str) -> str:
    return to_base64url(keyring.mac(PURPOSE, seconds.encode(), key=key)[:MAC_BYTES])
