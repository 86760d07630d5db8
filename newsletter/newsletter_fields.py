"""Check what is entered for the fields of a newsletter, and say what it stores for them."""

import re
from collections.abc import Sequence
from typing import Any, TypedDict, cast

from newsletter import addresses, origins, zones
from newsletter.errors import Malformed
from newsletter.languages import tags
from newsletter.plain_text import CONTROLS, shown

BRAND = re.compile(r"#[0-9a-f]{6}")
PAGES = ("site_url", "signup_thanks_url", "confirmed_thanks_url")  # addresses of pages of the publisher's own
SWITCHES = ("sends_welcome", "welcome_has_issue")  # fields that are on or off
# An empty value leaves them out.
OPTIONAL = ("reply_to", "return_path_domain", "sender_name", "logo_sha256", *PAGES)
MAX_URL_CHARACTERS = 500


class NewsletterFields(TypedDict, total=False):
    """Fields of a newsletter that may change.

    The slug and the List-Id are not among them: links in letters and the archive name the slug, and readers' mail
    programs sort by the List-Id, which therefore stays although the sender's domain changes (RFC 2919 section 3).
    """

    name: str
    description: str
    publisher: str
    sender: str
    reply_to: str  # "": the sender
    postal_address: str
    language: str
    zone: str
    brand: str
    return_path_domain: str | None  # None or "": bounces go to the sender
    other_languages: Sequence[str]  # empty: none but the main one
    sender_name: str | None  # None or "": the publisher's
    logo_sha256: str | None  # None or "": no logo
    site_url: str | None  # None or "": pages link no site of the publisher
    signup_thanks_url: str | None  # None or "": after signing up, visitors see our own page
    confirmed_thanks_url: str | None  # None or "": after confirming, readers see our own page
    sends_welcome: bool
    welcome_has_issue: bool


def checked(field: str, value: Any) -> Any:
    """Return what a newsletter stores for a value of one of NewsletterFields. Raises Malformed, naming the field.

    For the reply address it is None if the value is empty: then it is the sender.
    """
    if field == "other_languages":
        return _other_languages(cast("Sequence[str]", value))
    if field in SWITCHES:
        return bool(value)
    return None if not value and field in OPTIONAL else _cleaned(field, str(value))


def checked_language(tag: str) -> str:
    """Return a language tag as it is stored. Raises Malformed."""
    return _cleaned("language", tag)


def _other_languages(given: Sequence[str]) -> list[str] | None:
    try:
        return list(dict.fromkeys(map(checked_language, given))) or None
    except Malformed as error:
        raise Malformed("other_languages", str(error)) from None


def _cleaned(field: str, value: str) -> str:
    """Return a field's value as it is stored. Raises Malformed if letters or pages could not use it."""
    match field:
        case "name" | "publisher" | "postal_address" | "sender_name" | "description":
            _check_text(field, value)
        case "sender" | "reply_to":
            return _mailbox(value, field=field)
        case "language":
            if not tags.TAG.fullmatch(value):
                raise Malformed(field, f"“{value}” is not a language code such as en, de or pt-BR.")
            return tags.canonical(value)
        case "zone":
            zones.check(value)
        case "brand":
            value = value.lower()
            if not BRAND.fullmatch(value):
                raise Malformed(field, f"“{value}” is not a color like #0f5c6e.")
        case "return_path_domain":
            return _domain(value)
        case "site_url" | "signup_thanks_url" | "confirmed_thanks_url":
            return _page_url(field, value)
    return value.strip()


def _check_text(field: str, value: str) -> None:
    if field == "description":
        if CONTROLS.search(value):
            raise Malformed(field, "Enter plain text, without control characters.")
    elif not value.strip() or not value.isprintable():
        raise Malformed(field, "Enter one line of plain text; letters show it.")


def _page_url(field: str, value: str) -> str:
    url = origins.page_url(value)
    if url is None or len(url) > MAX_URL_CHARACTERS:
        raise Malformed(
            field,
            f"“{shown(value)}” is not the address of a page, such as https://www.example.org/thank-you, of at "
            f"most {MAX_URL_CHARACTERS} characters.",
        )
    return url


def _mailbox(value: str, *, field: str) -> str:
    """Return the address in ASCII. Many mail servers lack SMTPUTF8 (RFC 6531) and could not reply to another one."""
    written = addresses.envelope(addresses.parse(value, field=field).written)
    if not written.isascii():
        raise Malformed(
            field, f"Many mail servers do not accept “{written}”: before the @ use a to z, digits and . - _ +."
        )
    return written


def _domain(value: str) -> str:
    """Return the domain as A-labels, if a return path with the longest local part fits (RFC 5321 section 4.5.3.1)."""
    try:
        return addresses.parse(f"{'b' * addresses.MAX_LOCAL_PART_OCTETS}@{value.strip()}").key.rpartition("@")[2]
    except Malformed:
        says = f"“{shown(value)}” is not a domain like bounces.example.org of at most 189 characters."
        raise Malformed("return_path_domain", says) from None
