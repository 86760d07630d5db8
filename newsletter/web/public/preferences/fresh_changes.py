"""What a reader changes on the page of all newsletters: read the posted form, and store what differs.

The form says in fields named `before-` what it showed at first. So a page that was left open overnight changes only
what its reader has changed there, and never a choice that was made elsewhere meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.subscribers import reader_choices
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.errors import Malformed
from newsletter.languages.translatable import Translatable
from newsletter.web.form_data import FormData, first_value
from newsletter.web.public.preferences import languages, pauses, subscriptions
from newsletter.web.public.preferences.pauses import PauseChange
from newsletter.web.public.reader_details import checked_name, checked_zone

BEFORE = "before-"

DETAILS: Mapping[str, Callable[[str], str]] = {
    "name": checked_name,
    "zone": lambda value: checked_zone(value, field="zone"),
}


class FreshChanges(NamedTuple):
    """What a form changes: subscriptions by their newsletters' ids, and details of the reader."""

    stopped: Sequence[int] | None = ()  # None: all
    languages: Mapping[int, str] = {}
    pauses: Mapping[int, PauseChange] = {}
    details: Mapping[str, str | None] = {}
    errors: Mapping[str, Translatable | str] = {}  # by field; with any, nothing is stored


def read(rows: Sequence[Row[Any]], form: FormData, *, now: datetime) -> FreshChanges:
    """Return what a form changes, of the rows of all newsletters (`subscriptions.every`)."""
    present = subscriptions.present(rows)
    stopped = _stopped(present, form)
    kept = [row for row in present if row.id not in stopped]
    paused = {row.id: pauses.chosen(row, form, f"pause-{row.slug}", now=now) for row in kept}
    details, errors = _details(rows[0], form)
    return FreshChanges(
        stopped,
        languages.chosen(kept, form),
        {number: change for number, change in paused.items() if change},
        details,
        errors,
    )


def store(
    session: Session, subscriber: Subscriber, changes: FreshChanges, *, trace: Trace | None, now: datetime
) -> list[int]:
    """Store changes without errors; return the ids of the newsletters that have stopped.

    The caller has locked the subscriber's row. Repeating it is harmless.
    """
    stopped = decisions.withdraw(
        session, subscriber, newsletters=changes.stopped, how=EvidenceTerm.PREFERENCES, trace=trace, now=now
    )
    for number, tag in changes.languages.items():
        reader_choices.set_language(session, subscriber.id, number, tag)
    for number, pause in changes.pauses.items():
        reader_choices.set_pause(session, subscriber.id, number, pause.until)
    if changes.details:
        reader_choices.set_details(session, subscriber.id, dict(changes.details))
    return stopped


def is_kept(slug: str, form: FormData) -> bool:
    """Return whether a form leaves a subscription as it is: it is ticked, or the form did not list it."""
    before = form.get(f"{BEFORE}newsletters")  # absent from the release before, which listed all
    return slug in form.get("newsletters", ()) or (before is not None and slug not in before)


def _stopped(present: Sequence[Row[Any]], form: FormData) -> list[int]:
    # The form does not list subscriptions that wait for confirmation, so their absence from it means nothing.
    return [row.id for row in present if not is_kept(row.slug, form)]


def _details(row: Row[Any], form: FormData) -> tuple[dict[str, str | None], dict[str, Translatable | str]]:
    details: dict[str, str | None] = {}
    errors: dict[str, Translatable | str] = {}
    for field, check in DETAILS.items():
        entered = first_value(form, field)
        if field not in form or entered == first_value(form, BEFORE + field):
            continue
        try:
            value = check(entered) or None
        except Malformed as error:
            errors[error.field] = error.told
        else:
            if value != (getattr(row, f"reader_{field}") or None):
                details[field] = value
    return details, errors
