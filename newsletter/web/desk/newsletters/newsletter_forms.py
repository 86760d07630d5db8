"""The form of a newsletter's fields: what it shows, what was entered, and what is wrong with it."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from newsletter import newsletter_fields, zones
from newsletter.errors import Malformed
from newsletter.languages import catalogues
from newsletter.languages.languages import english_name
from newsletter.newsletters import Newsletter
from newsletter.web.desk.frame import forms
from newsletter.web.form_data import FormData, is_checked

TEXTS = (
    "name",
    "description",
    "publisher",
    "postal_address",
    "sender",
    "sender_name",
    "reply_to",
    "return_path_domain",
    "language",
    "zone",
    "brand",
    "site_url",
    "signup_thanks_url",
    "confirmed_thanks_url",
)
SWITCHES = newsletter_fields.SWITCHES
LANGUAGES = "other_languages"
FURTHER = "further_languages"  # codes of languages that the form has no box for
BEFORE = "before_"  # the prefix of the hidden fields that hold what the form showed at first

DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(TEXTS, ""),
    "language": "en",
    "zone": "UTC",
    "brand": "#0f5c6e",
    LANGUAGES: [],
    **dict.fromkeys(SWITCHES, False),
}


class EnteredFields(NamedTuple):
    """What was entered, by field, and what the newsletter stores for it."""

    values: dict[str, Any]  # text; of LANGUAGES a list of tags, of SWITCHES whether they are on
    stored: dict[str, Any]  # of the fields that are in order
    errors: dict[str, str]


def shown(newsletter: Newsletter) -> dict[str, Any]:
    """Return a newsletter's fields as the form shows them."""
    values: dict[str, Any] = {field: getattr(newsletter, field) or "" for field in TEXTS}
    switches = {field: getattr(newsletter, field) for field in SWITCHES}
    return {**values, LANGUAGES: list(newsletter.other_languages or ()), **switches}


def entered(form: FormData) -> EnteredFields:
    """Return what a form holds, checked field by field, so that every wrong one is told at once."""
    values: dict[str, Any] = {field: " ".join(forms.text(form, field).split()) for field in TEXTS}
    further = re.split(r"[\s,;]+", forms.text(form, FURTHER))
    values[LANGUAGES] = list(dict.fromkeys(tag for tag in [*form.get(LANGUAGES, ()), *further] if tag))
    values |= {field: is_checked(form, field) for field in SWITCHES}
    stored: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field, value in values.items():
        try:
            stored[field] = newsletter_fields.checked(field, value)
        except Malformed as error:
            errors[field] = _told(field, value, str(error))
    return EnteredFields(values, stored, errors)


def changes(form: FormData, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entered fields that differ from what the form showed at first.

    So nothing is changed back that somebody else has changed meanwhile.
    """
    before = {field: " ".join(forms.text(form, BEFORE + field).split()) for field in values}
    return {field: value for field, value in values.items() if written(value) != before[field]}


def written(value: Any) -> str:
    """Return a field's value as a hidden field holds it."""
    if isinstance(value, bool):
        return "yes" if value else ""
    return ",".join(value) if isinstance(value, list) else " ".join(str(value).split())


def choices(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form proposes: the languages with catalogues and those entered, and the time zones."""
    entered = [values["language"], *values[LANGUAGES]]
    tags = dict.fromkeys([*catalogues.LANGUAGES, *filter(None, entered)])
    return {"languages": [(tag, english_name(tag)) for tag in tags], "zones": zones.names()}


def _told(field: str, value: Any, message: str) -> str:
    """Return what to enter in a field that was left empty, otherwise what is wrong with it."""
    return message if value or field not in WANTED else WANTED[field]


WANTED = {
    "name": "Enter the newsletter's name, as readers see it.",
    "publisher": "Enter the person or organization that is responsible for it.",
    "postal_address": "Enter street and town: the law asks for them in every letter.",
    "sender": "Enter the address that letters come from, like letters@example.org.",
    "zone": "Enter a time zone, like Europe/Berlin.",
}
