"""E-mail addresses: parse, compare, mask, redact and fingerprint them.

email-validator decides what a valid address is (strict, IDNA 2008). An address is validated once, when it is entered.
"""

import re
import unicodedata
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from newsletter import plain_text
from newsletter.errors import Malformed
from newsletter.keys import Keyring, to_base64url
from newsletter.languages.translatable import Translatable, translatable

MAX_CHARACTERS = 254  # RFC 5321 section 4.5.3.1.3; email-validator counts octets
MAX_LOCAL_PART_OCTETS = 64  # octets at most: RFC 5321 section 4.5.3.1.1, in UTF-8 by RFC 6531 section 3.3

# Anything in foreign text that may be an address, also URL-encoded. A match starts only at the beginning of a word:
# trying every letter of a long word would take quadratic time.
_WORD = r'[^\s<>()\[\],;:"]'
_AT_SIGN = "(?:@|%40|\uff20|%[Ee][Ff]%[Bb][Cc]%[Aa]0)"  # also full-width
_BEGINS_AT_SIGN = ("@", "%", "\uff20")
_POSSIBLE_ADDRESS = re.compile(rf"<?(?<!{_WORD}){_WORD}+{_AT_SIGN}{_WORD}+>?")

# Japanese keyboards write full-width letters, digits and signs, and half-width katakana. They stand for the usual ones:
# see the width mapping of RFC 8265 section 3.3.1. Other characters that look alike may be those of another person.
_FULL_WIDTH = {
    code: chr(int(mapping[1], 16))
    for code in (0x3000, *range(0xFF01, 0xFFEF))
    if (mapping := unicodedata.decomposition(chr(code)).split()) and mapping[0] in ("<wide>", "<narrow>")
}
_IDEOGRAPHIC_FULL_STOP = "\u3002"  # the key of the full stop on such a keyboard; domains take it as a dot anyway
# What copying brings along: soft hyphen, zero-width characters, direction marks, the ends of embeddings and isolates.
# Not the overrides, which turn an address round.
_UNSEEN = "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2068\u2069\ufeff"
_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + _UNSEEN
_PUNCTUATION = "<>()[]\"'“”„‘’‚«»‹›.,;:!?"  # noqa: RUF001 - quotation marks
_IN_BRACKETS = re.compile(r"<([^<>]*)>")
_BETWEEN_ADDRESSES = re.compile(r"[\s,;]+")


class Address(NamedTuple):
    """An address as entered (in plain characters, domain in lower case), and the key for comparing it."""

    written: str  # the local part as entered, the domain in Unicode
    # Lower case, the domain as A-labels. RFC 5321 section 2.4 makes only the domain case-insensitive, but in practice
    # local parts are too. No Unicode case folding: it equates weiß@ and weiss@, who may be two people.
    key: str


def parse(value: str, *, field: str = "email") -> Address:
    """Return the address in `value`. Raises Malformed with a message for the visitor.

    White space and invisible characters around it are left out, and full-width characters are read as the usual ones:
    see `plain`. Comments, quoted local parts, IP literals, display names and domains without a
    dot are refused, although RFC 5322 allows them. The DNS is not queried, because that takes time.
    """
    value = plain(value)
    if not value:
        raise Malformed(field, translatable("Enter your e-mail address."))
    try:
        parsed = validate_email(value, check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise Malformed(field, _objection(value)) from None
    if len(parsed.local_part.encode()) > MAX_LOCAL_PART_OCTETS:  # email-validator counts characters here
        raise Malformed(field, translatable("The part of your address before the @-sign is too long."))
    return Address(parsed.normalized, f"{parsed.local_part.lower()}@{parsed.ascii_domain.lower()}")


def plain(value: str) -> str:
    """Return what was typed or pasted in plain characters, without white space and unseen characters around it."""
    if not value.isascii():
        value = value.translate(_FULL_WIDTH).replace(_IDEOGRAPHIC_FULL_STOP, ".")
    return value.strip(_AROUND)


def _objection(value: str) -> Translatable:
    """Return what a visitor may do about an invalid address. The library's own messages are English only."""
    shown = plain_text.shown(value)
    if told := _more_than_an_address(value, shown):
        return told
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


def _more_than_an_address(value: str, shown: str) -> Translatable | None:
    """Return what to do about a text that holds a valid address and more, or several; None about any other."""
    if _is_valid(visible := "".join(each for each in value if unicodedata.category(each) != "Cf")):
        return translatable(
            "There is an invisible character in your e-mail address. Clear the field and type “%(address)s”.",
            address=visible,
        )
    if _is_valid(alone := _alone(value)):
        return translatable("Enter only your e-mail address, “%(address)s”, and nothing around it.", address=alone)
    if sum("@" in part for part in _BETWEEN_ADDRESSES.split(value)) > 1:
        return translatable("Enter a single e-mail address. “%(address)s” are several.", address=shown)
    return None


def _alone(value: str) -> str:
    """Return what may be the address in a text with a name, brackets, a link's scheme or punctuation around it."""
    found = _IN_BRACKETS.search(value)
    text = (found[1] if found else value).strip().strip(_PUNCTUATION)
    return text[len("mailto:") :].partition("?")[0] if text.lower().startswith("mailto:") else text


def _is_valid(value: str) -> bool:
    if len(value) > MAX_CHARACTERS:
        return False
    try:
        validate_email(value, check_deliverability=False, strict=True)
    except EmailNotValidError:
        return False
    return True


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
    return _POSSIBLE_ADDRESS.sub("<address>", text) if any(begin in text for begin in _BEGINS_AT_SIGN) else text


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
