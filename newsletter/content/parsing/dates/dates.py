"""Read the dates of feeds, which state them in every form and language.

A date that says no zone is UTC, and one that says no time is midnight. A date that nobody can believe is no date: the
article then counts as published when it was first seen.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain

from newsletter.content.parsing.dates import date_names, date_text, timestamps, written_dates

MAX_CHARACTERS = 200
EARLIEST = datetime(1991, 1, 1, tzinfo=UTC)  # the Web is no older: 1970, 1900, 1795 and year 1 are faults of software
MAX_AHEAD = timedelta(days=730)  # a publisher announces, but not for longer


def prepare() -> None:
    """Load the names of months of all languages, which takes a second, so that forked processes inherit them."""
    date_names.of_language("en")
    date_names.of_all_languages()


def parse_date(text: str, *, language: str = "", now: datetime) -> datetime | None:
    """Return the moment that the text states, in UTC; None if it states none, or none to believe.

    `language` (BCP 47) is the feed's: it decides names that mean different things, and whether 04/05/2026 is in April
    or in May. A date is believed from 1991 until two years after `now`. Never raises for any text or language.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    plain = date_text.normalize(text)
    readings = chain(timestamps.readings(plain), written_dates.readings(plain, language))
    return next((moment for moment in readings if EARLIEST <= moment <= now + MAX_AHEAD), None)


def first_date(texts: Iterable[str], *, language: str = "", now: datetime) -> datetime | None:
    """Return the first believable date that the texts state; None if none does."""
    dates = (parse_date(text, language=language, now=now) for text in texts if text)
    return next(filter(None, dates), None)
