"""E-mail addresses, checked at the border and never again.

email-validator decides what is an address (strict, IDNA 2008); here stands what we do with one: how two spellings are
found to be the same person, how it is shown without being told, and how it is remembered without being kept.
"""

from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from newsletter.errors import Malformed
from newsletter.keys import Keyring, text


class Address(NamedTuple):
    """An address as typed (but for Unicode normalisation and its domain's case), and the key that equal ones share."""

    written: str  # the local part as typed, the domain in Unicode
    key: str  # case folded, the domain as A-labels: RFC 5321 section 2.4 compares the domain so; everybody the rest


def parse(value: str, *, field: str = "email", deliverability: bool = False) -> Address:
    """The address that somebody entered. Raises Malformed with words that the visitor understands.

    Comments, quoted local parts, IP literals and display names are refused. Whether the domain can receive mail is
    looked up only if asked for: DNS takes time, and its answer would tell a visitor's own typing slip from ours.
    """
    value = value.strip()
    if not value:
        raise Malformed(field, "Enter your e-mail address, so that we know where to write.")
    try:
        found = validate_email(value, check_deliverability=deliverability, strict=True)
    except EmailNotValidError as error:
        shown = (
            value if len(value) <= 80 and value.isprintable() else value[:60].encode("unicode_escape").decode() + "…"
        )
        raise Malformed(
            field, f"Enter the whole address, like name@example.org. “{shown}” is not one: {_reason(error)}"
        ) from None
    domain = found.ascii_domain.lower()
    return Address(found.normalized, f"{found.local_part.casefold()}@{domain}")


def _reason(error: EmailNotValidError) -> str:
    reason = str(error)
    return reason if reason.endswith(".") else f"{reason}."


def envelope(written: str) -> str:
    """The address as SMTP takes it: the domain as A-labels (RFC 5890), the local part untouched."""
    if written.isascii():
        return written  # it passed `parse` once, and carrying a million letters should not ask a million times
    found = validate_email(written, check_deliverability=False, strict=True)
    return f"{found.local_part}@{found.ascii_domain}"


def masked(written: str) -> str:
    """The address for a page that a link opened: enough for its owner, useless to whoever a letter was forwarded to."""
    local, _, domain = written.rpartition("@")
    host, _, ending = domain.rpartition(".")
    return f"{_dots(local)}@{_dots(host)}.{ending}"


def _dots(word: str) -> str:
    return word[0] + "•" * 3 + (word[-1] if len(word) > 4 else "")


def fingerprint(keyring: Keyring, address_key: str, *, key: str | None = None) -> str:
    """An address remembered without being kept: `key-id:MAC`. Without the key nobody can try addresses against it."""
    name = key or keyring.newest
    return f"{name}:{text(keyring.mac('address', address_key.encode(), key=name))}"


def fold(keyring: Keyring, address_key: str) -> str:
    """The fingerprint that limits count by: another case or +tag reaches the same inbox, so it counts as the same."""
    local, _, domain = address_key.rpartition("@")
    inbox = local.partition("+")[0] + "@" + domain
    return f"{keyring.newest}:{text(keyring.mac('fold', inbox.encode()))}"
