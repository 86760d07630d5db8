"""E-mail addresses, checked at the border and never again.

email-validator decides what is an address (strict, IDNA 2008); here stands what we do with one: how two spellings are
found to be the same person, how it is shown without being told, and how it is remembered without being kept.
"""

import re
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from newsletter.errors import Malformed
from newsletter.keys import Keyring, text

LOCAL_PART = 64  # octets at most: RFC 5321 section 4.5.3.1.1, in UTF-8 by RFC 6531 section 3.3

# Anything that may be an address in a stranger's words, also as URLs have it. It is looked for only where a word
# begins: from each letter of a long word anew would take quadratic time.
_WORD = r'[^\s<>()\[\],;:"]'
_SOMEWHERE = re.compile(rf"<?(?<!{_WORD}){_WORD}+(?:@|%40){_WORD}+>?")


class Address(NamedTuple):
    """An address as typed (but for Unicode normalisation and its domain's case), and the key that equal ones share."""

    written: str  # the local part as typed, the domain in Unicode
    # In lower case, the domain as A-labels. RFC 5321 section 2.4 compares the domain so, everybody the rest. Not by
    # Unicode's case folding: it takes weiß@ for weiss@, and these may be two people.
    key: str


def parse(value: str, *, field: str = "email") -> Address:
    """The address that somebody entered. Raises Malformed with words that the visitor understands.

    What a paste brings along before and after it is taken off. Comments, quoted local parts, IP literals, display names
    and domains without a dot are refused, though RFC 5322 knows them. The DNS is not asked: that takes time.
    """
    value = value.strip()
    if not value:
        raise Malformed(field, "Enter your e-mail address, so that we know where to write.")
    try:
        found = validate_email(value, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise _malformed(field, value, str(error)) from None
    if len(found.local_part.encode()) > LOCAL_PART:  # email-validator counts characters here
        raise _malformed(field, value, "It is too long before the @-sign.")
    return Address(found.normalized, f"{found.local_part.lower()}@{found.ascii_domain.lower()}")


def _malformed(field: str, value: str, reason: str) -> Malformed:
    shown = value if value.isprintable() else value.encode("unicode_escape").decode()
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    dot = "" if reason.endswith(".") else "."
    return Malformed(field, f"Enter the whole address, like name@example.org. “{shown}” is not one: {reason}{dot}")


def envelope(written: str) -> str:
    """The address as SMTP takes it: the domain as A-labels (RFC 5890), the local part untouched."""
    if written.isascii():
        return written  # it passed `parse` once, and carrying a million letters should not ask a million times
    found = validate_email(written, check_deliverability=False, strict=True)
    return f"{found.local_part}@{found.ascii_domain}"


def masked(written: str) -> str:
    """The address for a page that a link opened: enough for its owner, useless to whoever a letter was forwarded to."""
    local, _, domain = written.rpartition("@")
    host, dot, ending = domain.rpartition(".")
    return f"{_dots(local)}@{_dots(host)}{dot}{ending if dot else ''}"


def _dots(word: str) -> str:
    first, last = word[:1] if len(word) > 1 else "", word[-1:] if len(word) > 4 else ""
    return f"{first}•••{last}"


def hidden(text: str) -> str:
    """A text with `<address>` where an address may have stood: rather a word too many than one too few."""
    return _SOMEWHERE.sub("<address>", text) if "@" in text or "%40" in text else text


def fingerprint(keyring: Keyring, address_key: str, *, key: str | None = None) -> str:
    """An address remembered without being kept: `key-id:MAC`. Without the key nobody can try addresses against it."""
    name = key or keyring.newest
    return f"{name}:{text(keyring.mac('address', address_key.encode(), key=name))}"


def fold(keyring: Keyring, address_key: str) -> str:
    """The fingerprint that limits count by: another case or +tag reaches the same inbox, so it counts as the same."""
    local, _, domain = address_key.rpartition("@")
    inbox = local.partition("+")[0] + "@" + domain
    return f"{keyring.newest}:{text(keyring.mac('fold', inbox.encode()))}"
