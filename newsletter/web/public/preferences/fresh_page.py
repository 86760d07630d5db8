"""The page behind a freshly mailed link: all newsletters of an address and the reader's details, and what was saved."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse
from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter import addresses, templating
from newsletter.consent.subscribers import reader_choices
from newsletter.consent.subscribers.reader_choices import PAUSE_WEEKS
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.content.digests import digests
from newsletter.content.digests.explanation import DigestSchedule
from newsletter.errors import LinkExpired
from newsletter.languages.languages import language
from newsletter.links import fresh_until
from newsletter.web import negotiation
from newsletter.web.form_data import FormData, first_value
from newsletter.web.public.preferences import fresh_changes, languages, pauses, subscriptions, zone_choices
from newsletter.web.public.preferences.fresh_changes import BEFORE, FreshChanges
from newsletter.web.public.preferences.links import PreferencesLink
from newsletter.web.site import Site

NOTHING_ENTERED: FormData = {}


def show(
    site: Site,
    session: Session,
    link: PreferencesLink,
    *,
    status: int = 200,
    saved: FreshChanges | None = None,
    wrong: FreshChanges | None = None,
    entered: FormData = NOTHING_ENTERED,
) -> HTMLResponse:
    """Show all newsletters, and what was saved; or what is wrong in the form, with all that was entered."""
    offered = subscriptions.every(session, link)
    if not offered or link.minute is None:
        raise LinkExpired
    present = subscriptions.present(offered)
    schedules = digests.schedules(session, [row.id for row in present]) if present else {}
    shown = present[0] if present else offered[0]
    tag = page_language(link, offered)
    return site.page(
        "preferences",
        tag=tag,
        negotiated=True,
        status=status,
        newsletter=shown if present else None,
        address=addresses.mask(shown.address),
        token=link.token(site),
        until=templating.local(fresh_until(link.minute), shown.reader_zone or shown.zone),
        subscriptions=[_subscription(row, schedules.get(row.id), entered, now=site.now()) for row in present],
        weeks=PAUSE_WEEKS,
        others=_others(site, offered, present),
        details=_details(shown, entered),
        zones=zone_choices.groups(tag),
        errors={field: language(tag).text(error) for field, error in wrong.errors.items()} if wrong else {},
        saved=_saved(saved, offered, tag, now=site.now()) if saved else None,
    )


def page_language(link: PreferencesLink, offered: Sequence[Row[Any]]) -> str:
    """Return the tag, among those in which the address reads, that suits the visitor best."""
    read_in = dict.fromkeys(row.reading_language for row in subscriptions.present(offered) or offered)
    return negotiation.best(link.wanted, list(read_in))


def _subscription(
    row: Row[Any], schedule: DigestSchedule | None, entered: FormData, *, now: datetime
) -> dict[str, Any]:
    language_field = f"language-{row.slug}"
    return {
        "slug": row.slug,
        "name": row.name,
        "language": row.language,
        "since": templating.local(row.since, row.reader_zone or row.zone),
        "schedule": schedule,
        "is_kept": not entered or fresh_changes.is_kept(row.slug, entered),
        "languages": languages.choices(row),
        "language_before": first_value(entered, BEFORE + language_field) or row.reading_language,
        "language_chosen": first_value(entered, language_field) or row.reading_language,
        "paused_until": pauses.end_of(row, now=now),
        "is_pause_open": reader_choices.is_open(row.paused_until),
        "pause_chosen": first_value(entered, f"pause-{row.slug}"),
    }


def _others(site: Site, offered: Sequence[Row[Any]], present: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    current = site.offered.get()
    return [
        {
            "slug": row.slug,
            "name": row.name,
            "language": row.language,
            "description": row.description,
            "is_asked": row.standing is Standing.ASKED,
            "takes_signups": row.slug in current.newsletters and bool(current.languages(current.newsletters[row.slug])),
        }
        for row in offered
        if row not in present
    ]


def _details(row: Row[Any], entered: FormData) -> dict[str, str]:
    """Return the details that the form shows, and what it showed of them at first."""
    zone = zone_choices.listed(row.reader_zone) if row.reader_zone else ""
    before = {"name": row.reader_name or "", "zone": zone}
    chosen = before
    if entered:
        before = {field: first_value(entered, BEFORE + field) for field in before}
        chosen = {field: first_value(entered, field) for field in before}
    return {**chosen, **{f"{field}_before": value for field, value in before.items()}}


def _saved(changes: FreshChanges, offered: Sequence[Row[Any]], tag: str, *, now: datetime) -> dict[str, Any]:
    named = {row.id: row for row in offered}
    paused = [named[number] for number, pause in changes.pauses.items() if pause.until]
    details = dict(changes.details)
    if zone := details.get("zone"):
        details["zone"] = zone_choices.city(zone, tag)
    return {
        "stopped": [named[number].name for number in changes.stopped or ()],
        "translated": [named[number].name for number in changes.languages],
        "resumed": [named[number].name for number, pause in changes.pauses.items() if not pause.until],
        "paused": [
            {
                "slug": row.slug,
                "name": row.name,
                "language": row.language,
                "until": pauses.end_of(row, now=now),
                "is_open": reader_choices.is_open(row.paused_until),
            }
            for row in paused
        ],
        "details": details,
    }
