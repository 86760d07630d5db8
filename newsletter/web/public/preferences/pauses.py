"""The pause of each subscription: what a reader chooses among, and how long it still lasts."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row

from newsletter import templating
from newsletter.consent.subscribers import reader_choices
from newsletter.consent.subscribers.reader_choices import PAUSE_WEEKS
from newsletter.web import whole_numbers
from newsletter.web.form_data import FormData, first_value

OPEN = "open"  # until the reader ends it
RESUME = "resume"


class PauseChange(NamedTuple):
    """A pause that begins now and lasts until then; None: one that ends now."""

    until: datetime | None


def shown_end(until: datetime | None, zone: str, *, now: datetime) -> datetime | None:
    """Return when a pause ends, in the reader's time zone; None if there is none now."""
    return templating.local(until, zone) if until and reader_choices.is_paused(until, now=now) else None


def end_of(row: Row[Any], *, now: datetime) -> datetime | None:
    """Return when the pause of a subscription of `subscriptions` ends, as `shown_end` does."""
    return shown_end(row.paused_until, row.reader_zone or row.zone, now=now)


def is_offered(wanted: str) -> bool:
    """Return whether a field holds one of the choices."""
    return wanted in (OPEN, RESUME, *map(str, PAUSE_WEEKS))


def chosen(row: Row[Any], form: FormData, field: str, *, now: datetime) -> PauseChange | None:
    """Return the pause that a field chooses; None if that changes nothing. What is not offered is ignored."""
    wanted = first_value(form, field)
    if wanted == RESUME:
        return PauseChange(None) if reader_choices.is_paused(row.paused_until, now=now) else None
    if wanted == OPEN:
        return (
            None if reader_choices.is_open(row.paused_until) else PauseChange(reader_choices.pause_end(None, now=now))
        )
    weeks = whole_numbers.parse(wanted)
    return PauseChange(reader_choices.pause_end(weeks, now=now)) if weeks in PAUSE_WEEKS else None
