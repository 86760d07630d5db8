"""The page behind a freshly mailed link: all newsletters of an address, and what was saved about them."""

from collections.abc import Sequence
from typing import NamedTuple

from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from newsletter import addresses, templating
from newsletter.consent.subscribers import Standing
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired
from newsletter.links import fresh_until
from newsletter.web import negotiation
from newsletter.web.public.preferences import languages, subscriptions
from newsletter.web.public.preferences.links import PreferencesLink
from newsletter.web.site import Site


class SavedPreferences(NamedTuple):
    """What a POST did: the ids of the newsletters that it stopped, and of those that now come in another language."""

    stopped: Sequence[int]
    translated: Sequence[int]


def show(
    site: Site, session: Session, link: PreferencesLink, *, status: int = 200, saved: SavedPreferences | None = None
) -> HTMLResponse:
    """Show all newsletters, and what was saved."""
    offered = subscriptions.every(session, link)
    if not offered or link.minute is None:
        raise LinkExpired
    subscribed = [row for row in offered if row.standing is Standing.SUBSCRIBED]
    schedules = digests.schedules(session, [row.id for row in subscribed]) if subscribed else {}
    shown = subscribed[0] if subscribed else offered[0]
    read_in = list(dict.fromkeys(row.reading_language for row in subscribed or offered))
    return site.page(
        "preferences",
        tag=negotiation.best(link.wanted, read_in),
        negotiated=True,
        status=status,
        newsletter=shown if subscribed else None,
        publisher=shown.publisher,
        address=addresses.mask(shown.address),
        until=templating.local(fresh_until(link.minute), shown.zone),
        subscriptions=[
            {
                "slug": row.slug,
                "name": row.name,
                "language": row.language,
                "since": row.since,
                "zone": row.zone,
                "schedule": schedules.get(row.id),
                "languages": languages.choices(row),
            }
            for row in subscribed
        ],
        others=[row for row in offered if row.standing is not Standing.SUBSCRIBED],
        stopped=[row.name for row in offered if saved and row.id in saved.stopped],
        translated=[row.name for row in offered if saved and row.id in saved.translated],
        saved=saved is not None,
    )
