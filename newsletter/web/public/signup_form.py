"""What a posted sign-up asks for, checked as far as the visitor can see it."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from newsletter import addresses, zones
from newsletter.addresses import Address
from newsletter.consent.wordings import Wording
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import LANGUAGE, Newsletter
from newsletter.web.form_data import Posted, one, ticked
from newsletter.web.public.offered_newsletters import OfferedNewsletters, OfferedNewslettersCache

BLANK = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
UNNAMEABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # controls, turned lines
NAME_LIMIT = 200  # characters

T = TypeVar("T")


class SignupForm(NamedTuple):
    """A sign-up that can be taken as it stands."""

    address: Address
    newsletters: list[Newsletter]
    wording: Wording
    name: str
    language: str
    timezone: str


class NotAsked(Refused):
    """Some of what was entered cannot be used."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__()
        self.errors = errors


def asked(form: Posted, catalogue: OfferedNewslettersCache) -> SignupForm:
    """The sign-up in a form. Raises NotAsked with a message for every field that is wrong, not only the first."""
    slugs = [slug for value in form.get("newsletters", ()) for slug in value.split(",")]
    wording = one(form, "wording")
    number = int(wording) if wording.isascii() and wording.isdigit() and len(wording) < 19 else None
    offers = catalogue.offers(slugs=frozenset(slugs), wording=number)
    errors: dict[str, str] = {}

    def checked(check: Callable[[], T]) -> T | None:
        try:
            return check()
        except Malformed as error:
            errors[error.field] = str(error)
            return None

    found = (
        checked(lambda: addresses.parse(one(form, "email"))),
        checked(lambda: _newsletters(offers, slugs)),
        checked(lambda: _wording(offers, number, slugs, one(form, "form"))),
        checked(lambda: _name(one(form, "name"))),
        checked(lambda: _language(one(form, "language"))),
        checked(lambda: _zone(one(form, "timezone"))),
    )
    if not ticked(form, "consent"):
        errors["consent"] = "Tick the box if you agree; without your consent we may not write to you."
    if errors:
        raise NotAsked(errors)
    return SignupForm(*found)  # type: ignore[arg-type]  # without an error each of them was found


def _newsletters(offers: OfferedNewsletters, slugs: list[str]) -> list[Newsletter]:
    if not slugs:
        raise Malformed("newsletters", "Choose the newsletter that you would like to get.")
    try:
        return [offers.newsletter(slug) for slug in dict.fromkeys(slugs)]
    except NotFound as error:
        raise Malformed("newsletters", str(error)) from None


def _wording(offers: OfferedNewsletters, number: int | None, slugs: list[str], form: str) -> Wording:
    """The words that were agreed to; they have to speak of what is asked for, and the form has to be the one shown."""
    wording = offers.wordings.get(number) if number is not None else None
    if wording is None:
        raise Malformed("wording", "Name the consent wording that was shown: the sign-up page has its number.")
    spoken_of = {
        newsletter.slug for newsletter in offers.newsletters.values() if newsletter.id == wording.newsletter_id
    }
    if set(slugs) != spoken_of:
        raise Malformed("wording", "These consent words are about another newsletter. Sign up to each with its own.")
    if form != wording.form_exhibit:
        raise Malformed("form", "Name the form that was shown: the sign-up page has its id.")
    return wording


def _name(value: str) -> str:
    """A name is whatever people call themselves, but no control character and no encoded-word (CVE-2024-6923).

    Joiners belong to names in Persian and Hindi; a blank that does not break is a blank.
    """
    value = BLANK.sub(" ", value).strip()
    if len(value) > NAME_LIMIT:
        raise Malformed("name", f"Enter a name of at most {NAME_LIMIT} characters.")
    if UNNAMEABLE.search(value) or "=?" in value:
        raise Malformed("name", "Enter the name as plain text, in one line.")
    return value


def _language(value: str) -> str:
    if value and not LANGUAGE.fullmatch(value):
        raise Malformed("language", "Name the language like en, de or pt-BR.")
    return value


def _zone(value: str) -> str:
    if value:
        zones.check(value, field="timezone")
    return value
