"""Check a posted sign-up form. Errors concern only what the visitor can see, never whether an address is known."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from newsletter import addresses, zones
from newsletter.addresses import Address
from newsletter.consent.wordings import Wording
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.languages import tags
from newsletter.newsletters import Newsletter
from newsletter.web.form_data import FormData, first_value, is_checked
from newsletter.web.public.offered_newsletters import OfferedNames, OfferedNewsletters

SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # no-break and other special spaces
# Controls, line separators, bidirectional overrides, surrogates.
FORBIDDEN_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
MAX_NAME_CHARACTERS = 200

T = TypeVar("T")


class SignupForm(NamedTuple):
    """A valid sign-up."""

    address: Address
    newsletters: list[Newsletter]
    wording: Wording
    name: str
    language: str
    timezone: str


class InvalidForm(Refused):
    """Please correct the form."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__()
        self.errors = errors


def named_in(form: FormData) -> OfferedNames:
    """Return the newsletters and the wording that a form names, whether or not they exist."""
    slugs = [slug for value in form.get("newsletters", ()) for slug in value.split(",")]
    wording = first_value(form, "wording")
    is_number = wording.isascii() and wording.isdigit() and len(wording) < 19
    return OfferedNames(tuple(dict.fromkeys(slugs)), int(wording) if is_number else None)


def parse_signup_form(form: FormData, names: OfferedNames, offered: OfferedNewsletters) -> SignupForm:
    """Return the sign-up in a form. Raises InvalidForm with a message for every wrong field, not only the first."""
    errors: dict[str, str] = {}

    def checked(check: Callable[[], T]) -> T | None:
        try:
            return check()
        except Malformed as error:
            errors[error.field] = str(error)
            return None

    values = (
        checked(lambda: _address(offered, first_value(form, "email"))),
        checked(lambda: _newsletters(offered, names)),
        checked(lambda: _wording(offered, names, first_value(form, "form"))),
        checked(lambda: _name(first_value(form, "name"))),
        checked(lambda: _language(first_value(form, "language"))),
        checked(lambda: _zone(first_value(form, "timezone"))),
    )
    if not is_checked(form, "consent"):
        errors["consent"] = "Tick the box if you agree. Without your consent we may not write to you."
    if errors:
        raise InvalidForm(errors)
    return SignupForm(*values)  # type: ignore[arg-type]  # without errors, none of them is None


def _address(offered: OfferedNewsletters, value: str) -> Address:
    """Return the address. Refuses one that no relay can take: its owner would wait for a letter in vain."""
    address = addresses.parse(value)
    local = address.written.rpartition("@")[0]
    if local.isascii() or offered.can_reach_utf8:
        return address
    foreign = "".join(dict.fromkeys(character for character in local if not character.isascii()))
    raise Malformed(
        "email",
        f"We cannot send to an address with “{foreign}” before the @-sign. Enter another address of yours, "
        "with plain letters from a to z and digits there.",
    )


def _newsletters(offered: OfferedNewsletters, names: OfferedNames) -> list[Newsletter]:
    if not names.slugs:
        raise Malformed("newsletters", "Choose a newsletter.")
    try:
        return [offered.newsletter(slug) for slug in names.slugs]
    except NotFound as error:
        raise Malformed("newsletters", str(error)) from None


def _wording(offered: OfferedNewsletters, names: OfferedNames, form: str) -> Wording:
    """Return the wording that the visitor agreed to. It must name these newsletters, and the form that showed it."""
    wording = offered.wording(names.wording)
    if wording is None:
        raise Malformed("wording", "Send the number of the consent wording that the sign-up page shows.")
    chosen = [offered.newsletters[slug].id for slug in names.slugs if slug in offered.newsletters]
    if chosen != [wording.newsletter_id]:
        raise Malformed("wording", "This consent wording is for another newsletter. Sign up to each one separately.")
    if form != wording.form_exhibit:
        raise Malformed("form", "Send the id of the form that the sign-up page shows.")
    return wording


def _name(value: str) -> str:
    """Return the name with plain spaces. Refuses control characters and encoded-words (CVE-2024-6923).

    Joiners are allowed: names in Persian and Hindi need them.
    """
    value = SPACES.sub(" ", value).strip()
    if len(value) > MAX_NAME_CHARACTERS:
        raise Malformed("name", f"Enter a name of at most {MAX_NAME_CHARACTERS} characters.")
    if FORBIDDEN_IN_NAMES.search(value) or "=?" in value:
        raise Malformed("name", "Enter the name as plain text on one line.")
    return value


def _language(value: str) -> str:
    if value and not tags.TAG.fullmatch(value):
        raise Malformed("language", "Enter a language code such as en, de or pt-BR.")
    return value


def _zone(value: str) -> str:
    if value:
        zones.check(value, field="timezone")
    return value
