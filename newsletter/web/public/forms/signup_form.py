"""Check a posted sign-up form. Errors concern only what the visitor can see, never whether an address is known."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from newsletter import addresses
from newsletter.addresses import Address
from newsletter.consent.wordings.forms import Form
from newsletter.consent.wordings.shown_words import newsletter_ids
from newsletter.consent.wordings.wordings import Wording
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.languages import tags
from newsletter.languages.translatable import Translatable, translatable
from newsletter.newsletters import Newsletter
from newsletter.web import whole_numbers
from newsletter.web.form_data import FormData, first_value, is_checked
from newsletter.web.public.offered_newsletters import OfferedNames, OfferedNewsletters
from newsletter.web.public.reader_details import checked_name, checked_zone

UNKNOWN_FORM = translatable(
    "This form has changed since you opened it. Please send the new one instead: the words of consent may be different."
)

T = TypeVar("T")


class Agreed(NamedTuple):
    """What the visitor agreed to: the words, and the form that showed them."""

    wording: Wording
    exhibit: str
    form: Form | None  # None: published by a release before, which kept no forms


class SignupForm(NamedTuple):
    """A valid sign-up."""

    address: Address
    newsletters: list[Newsletter]
    agreed: Agreed
    name: str
    entered_language: str
    timezone: str
    language: str  # of the person's letters and pages


class InvalidForm(Refused):
    """A form with wrong fields."""

    default = translatable("Please correct the form.")

    def __init__(self, errors: Mapping[str, Translatable | str]) -> None:
        super().__init__()
        self.errors = errors


def named_in(form: FormData) -> OfferedNames:
    """Return the newsletters, the wording and the form that a request names, whether or not they exist."""
    slugs = [slug for value in form.get("newsletters", ()) for slug in value.split(",")]
    return OfferedNames(
        tuple(dict.fromkeys(filter(None, slugs))),
        whole_numbers.parse(first_value(form, "wording")),
        whole_numbers.parse(first_value(form, "form")),
    )


def language_in(form: FormData, names: OfferedNames, offered: OfferedNewsletters) -> str | None:
    """Return the person's language: the posted one if a chosen newsletter offers it, else that of the wording.

    None if the form names no known wording.
    """
    posted = first_value(form, "language")
    if tags.TAG.fullmatch(posted):
        chosen = offered.chosen(names)
        available = [tag for each in chosen for tag in (*each.languages, *offered.languages(each))]
        if found := tags.lookup([posted], available):
            return found
    published = offered.form(names.form)
    wording = offered.wording(published.wording_id if published else names.wording)
    return wording.shown_language if wording else None


def parse_signup_form(form: FormData, names: OfferedNames, offered: OfferedNewsletters) -> SignupForm:
    """Return the sign-up in a form. Raises InvalidForm with a message for every wrong field, not only the first."""
    errors: dict[str, Translatable | str] = {}

    def checked(check: Callable[[], T]) -> T | None:
        try:
            return check()
        except Malformed as error:
            errors[error.field] = error.told
            return None

    # Several addresses are none: to take the first would forget the others without a word.
    email = ", ".join(dict.fromkeys(form.get("email", ())))
    values = (
        checked(lambda: reachable_address(offered, email)),
        checked(lambda: _newsletters(offered, names)),
        checked(lambda: _agreed(offered, names, form)),
        checked(lambda: checked_name(first_value(form, "name"))),
        checked(lambda: _language(first_value(form, "language"))),
        checked(lambda: checked_zone(first_value(form, "timezone"), field="timezone")),
    )
    if not is_checked(form, "consent"):
        errors["consent"] = translatable("Tick the box if you agree. Without your consent we may not write to you.")
    if errors:
        raise InvalidForm(errors)
    return SignupForm(*values, language_in(form, names, offered))  # type: ignore[arg-type]  # without errors, none is None


def reachable_address(offered: OfferedNewsletters, value: str) -> Address:
    """Return the address. Raises Malformed also for one that no relay can take: its owner would wait in vain."""
    address = addresses.parse(value)
    local = address.written.rpartition("@")[0]
    if local.isascii() or offered.can_reach_utf8:
        return address
    foreign = "".join(dict.fromkeys(character for character in local if not character.isascii()))
    raise Malformed(
        "email",
        translatable(
            "We cannot send to an address with “%(characters)s” before the @-sign. Enter another address of yours, "
            "with plain letters from a to z and digits there.",
            characters=foreign,
        ),
    )


def _newsletters(offered: OfferedNewsletters, names: OfferedNames) -> list[Newsletter]:
    if not names.slugs:
        raise Malformed("newsletters", translatable("Choose a newsletter."))
    try:
        return [offered.newsletter(slug) for slug in names.slugs]
    except NotFound as error:
        raise Malformed("newsletters", error.told) from None


def _agreed(offered: OfferedNewsletters, names: OfferedNames, form: FormData) -> Agreed:
    """Return what the visitor agreed to. It must name these newsletters, and the form that showed it.

    A form is named by its id. Forms of the release before are named by the SHA-256 of their exhibit.
    """
    if names.form is None:
        agreed = _named_by_exhibit(offered, names, first_value(form, "form"))
    else:
        agreed = _named_by_id(offered, names.form, first_value(form, "wording"))
    if first_value(form, "exhibit") not in ("", agreed.exhibit):
        raise Malformed("form", UNKNOWN_FORM)
    chosen = {offered.newsletters[slug].id for slug in names.slugs if slug in offered.newsletters}
    if not chosen <= set(newsletter_ids(agreed.wording)):
        raise Malformed(
            "wording",
            translatable(
                "These words of consent are about another newsletter. Please sign up on that newsletter's page."
            ),
        )
    return agreed


def _named_by_id(offered: OfferedNewsletters, number: int, wording_number: str) -> Agreed:
    form = offered.form(number)
    wording = offered.wording(form.wording_id) if form else None
    if form is None or wording is None:
        raise Malformed("form", UNKNOWN_FORM)
    if wording_number not in ("", str(wording.id)):
        raise Malformed("wording", UNKNOWN_FORM)
    return Agreed(wording, form.exhibit, form)


def _named_by_exhibit(offered: OfferedNewsletters, names: OfferedNames, exhibit: str) -> Agreed:
    wording = offered.wording(names.wording)
    if wording is None:
        raise Malformed("wording", UNKNOWN_FORM)
    if exhibit != wording.form_exhibit:
        raise Malformed("form", UNKNOWN_FORM)
    return Agreed(wording, exhibit, offered.hosted_form(wording))


def _language(value: str) -> str:
    if value and not tags.TAG.fullmatch(value):
        raise Malformed("language", translatable("Enter a language code such as en, de or pt-BR."))
    return value
