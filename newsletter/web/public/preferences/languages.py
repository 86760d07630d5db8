"""The language of each subscription, which a reader chooses on the page of all newsletters."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter.consent import subscribers
from newsletter.languages.languages import own_name
from newsletter.web.form_data import FormData, first_value


class LanguageChoice(NamedTuple):
    """A language that a reader can choose for a newsletter's letters and pages."""

    tag: str
    name: str  # in that language
    is_chosen: bool


def choices(row: Row[Any]) -> list[LanguageChoice]:
    """Return the languages for a subscription; none if there is no choice.

    The row has the newsletter's columns and `reading_language`, which remains although no longer offered.
    """
    tags = list(dict.fromkeys([row.language, *(row.other_languages or ()), row.reading_language]))
    return [LanguageChoice(tag, own_name(tag), tag == row.reading_language) for tag in tags] if len(tags) > 1 else []


def change(session: Session, subscriber_id: int, rows: Iterable[Row[Any]], form: FormData) -> list[Row[Any]]:
    """Store the languages that a form chooses; return the rows whose language is another one now.

    What is not offered is ignored, like a subscription without its field.
    """
    changed = []
    for row in rows:
        wanted = first_value(form, f"language-{row.slug}")
        if wanted != row.reading_language and any(wanted == choice.tag for choice in choices(row)):
            subscribers.set_language(session, subscriber_id, row.id, wanted)
            changed.append(row)
    return changed
