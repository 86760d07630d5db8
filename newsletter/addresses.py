"""E-mail addresses: parse, compare, mask, redact and fingerprint them.

email-validator decides what a valid address is (strict, IDNA 2008). An address is validated once, when it is entered.
"""

import re
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from newsletter.errors import Malformed
from newsletter.keys import Keyring, to_base64url
from newsletter.languages.translatable import Translatable, translatable

MAX_LOCAL_PART_OCTETS = 64  # octets at most: RFC 5321 section 4.5.3.1.1, in UTF-8 by RFC 6531 section 3.3

# Anything in foreign text that may be an address, also URL-encoded. A match starts only at the beginning of a word:
# trying every letter of a long word would take quadratic time.
_WORD = r'[^\s<>()\[\],;:"]'
_POSSIBLE_ADDRESS = re.compile(rf"<?(?<!{_WORD}){_WORD}+(?:@|%40){_WORD}+>?")


class Address(NamedTuple):
    """An address as entered (after Unicode normalization, domain in lower case), and the key for comparing it."""

    written: str  # the local part as entered, the domain in Unicode
    # Lower case, the domain as A-labels. RFC 5321 section 2.4 makes only the domain case-insensitive, but in practice
    # local parts are too. No Unicode case folding: it equates weiß@ and weiss@, who may be two people.
    key: str


def parse(value: str, *, field: str = "email") -> Address:
    """Return the address in `value`. Raises Malformed with a message for the visitor.

    Surrounding white space is removed. Comments, quoted local parts, IP literals, display names and domains without a
    dot are refused, although RFC 5322 allows them. The DNS is not queried, because that takes time.
    """
    value = value.strip()
    if not value:
        raise Malformed(field, translatable("Enter your e-mail address."))
    try:
        parsed = validate_email(value, check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise Malformed(field, _objection(value)) from None
    if len(parsed.local_part.encode()) > MAX_LOCAL_PART_OCTETS:  # email-validator counts characters here
        raise Malformed(field, translatable("The part of your address before the @-sign is too long."))
    return Address(parsed.normalized, f"{parsed.local_part.lower()}@{parsed.ascii_domain.lower()}")


def _objection(value: str) -> Translatable:
    """Return what a visitor may do about an invalid address. The library's own messages are English only."""
    shown = value if value.isprintable() else value.encode("unicode_escape").decode()
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    local, at, domain = value.rpartition("@")
    if not at:
        return translatable("Enter a whole address, like name@example.org. “%(address)s” has no @-sign.", address=shown)
    if not local or not domain:
        return translatable("Enter a whole address, like name@example.org. “%(address)s” lacks a part.", address=shown)
    if any(map(str.isspace, value)):
        return translatable("An e-mail address has no spaces. “%(address)s” has one.", address=shown)
    if "." not in domain:
        return translatable(
            "Enter a whole address, like name@example.org. “%(address)s” lacks the ending, such as .org.", address=shown
        )
    return translatable("“%(address)s” is not a valid e-mail address. Please check the spelling.", address=shown)


def envelope(written: str) -> str:
    """Return the address for the SMTP envelope: the domain as A-labels (RFC 5890), the local part unchanged."""
    if written.isascii():
        return written  # `parse` has validated it; sending a million letters should not validate it again each time
    parsed = validate_email(written, check_deliverability=False, strict=True)
    return f"{parsed.local_part}@{parsed.ascii_domain}"


def mask(written: str) -> str:
    """Return the masked address for a page behind a link: its owner recognizes it, others learn nothing useful."""
    local, _, domain = written.rpartition("@")
    host, dot, ending = domain.rpartition(".")
    return f"{_mask_word(local)}@{_mask_word(host)}{dot}{ending if dot else ''}"


def _mask_word(word: str) -> str:
    first, last = word[:1] if len(word) > 1 else "", word[-1:] if len(word) > 4 else ""
    return f"{first}•••{last}"


def redact(text: str) -> str:
    """Return the text with everything that may be an address replaced by `<address>`. In doubt, it replaces."""
    return _POSSIBLE_ADDRESS.sub("<address>", text) if "@" in text or "%40" in text else text


def fingerprint(keyring: Keyring, address_key: str, *, key: str | None = None) -> str:
    """Return `key-id:MAC` of an address, to recognize it without storing it. Guessing addresses requires the key."""
    name = key or keyring.newest
    return f"{name}:{to_base64url(keyring.mac('address', address_key.encode(), key=name))}"


def fold(keyring: Keyring, address_key: str) -> str:
    """Return the fingerprint by which the release before limits letters; spellings with another +tag share it.

    The site stores it only for that release, and the worker replaces it by `consent.limits.inboxes.fold`; remove it one
    release later.
    """
    local, _, domain = address_key.rpartition("@")
    inbox = local.partition("+")[0] + "@" + domain
    return f"{keyring.newest}:{to_base64url(keyring.mac('fold', inbox.encode()))}"
