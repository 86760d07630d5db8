"""The language of each subscription, which a reader chooses on the page of all newsletters."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row

from newsletter.languages.languages import own_name
from newsletter.web.form_data import FormData, first_value


class LanguageChoice(NamedTuple):
    """A language that a reader can choose for a newsletter's letters and pages."""

    tag: str
    name: str  # in that language


def choices(row: Row[Any]) -> list[LanguageChoice]:
    """Return the languages for a subscription; none if there is no choice.

    The row has the newsletter's columns and `reading_language`, which remains although no longer offered.
    """
    tags = list(dict.fromkeys([row.language, *(row.other_languages or ()), row.reading_language]))
    return [LanguageChoice(tag, own_name(tag)) for tag in tags] if len(tags) > 1 else []


def chosen(rows: Iterable[Row[Any]], form: FormData) -> dict[int, str]:
    """Return the languages that a form changes, by newsletter. What is not offered is ignored.

    The form says what it showed at first, so that nothing is changed back that was chosen elsewhere meanwhile.
    """
    changed = {}
    for row in rows:
        wanted = first_value(form, f"language-{row.slug}")
        before = first_value(form, f"before-language-{row.slug}")  # absent from the release before
        is_offered = any(wanted == choice.tag for choice in choices(row))
        if is_offered and wanted not in (before, row.reading_language):
            changed[row.id] = wanted
    return changed
