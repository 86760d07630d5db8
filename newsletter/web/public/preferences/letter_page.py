"""The page behind a letter's link: it tells about its own newsletter only, and can stop that or everything."""

from typing import Any

from fastapi.responses import HTMLResponse
from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.links import FRESH_LIFETIME
from newsletter.mail.mailings import preference_links
from newsletter.queues.wakeups import Queue
from newsletter.web import negotiation
from newsletter.web.public.preferences import subscriptions
from newsletter.web.public.preferences.links import PreferencesLink
from newsletter.web.site import Site


def show(
    site: Site, session: Session, link: PreferencesLink, *, status: int = 200, is_too_late: bool = False
) -> HTMLResponse:
    """Show what a letter's link can do; a fresh link that has run out can do as much.

    `is_too_late`: the reader saved a page of all newsletters for which the link no longer suffices.
    """
    about, has_run_out = subscriptions.named_by(session, link), is_too_late or link.minute is not None
    return site.page(
        "letter_preferences",
        **_language(site, link, about),
        status=410 if has_run_out else status,
        newsletter=about if link.newsletter else None,
        address=addresses.mask(about.address),
        standing=about.standing if link.newsletter else None,
        has_run_out=has_run_out,
    )


def left(site: Site, session: Session, link: PreferencesLink, *, everything: bool) -> HTMLResponse:
    """Say that this newsletter, or everything, has stopped."""
    about = subscriptions.named_by(session, link) if link.newsletter else None
    return site.page("unsubscribed", **_language(site, link, about), newsletter=about, everything=everything)


def mail_link(site: Site, link: PreferencesLink) -> HTMLResponse:
    """Owe a fresh link, and answer the same whether one is owed or not."""
    with site.database.writing() as session:
        about = subscriptions.named_by(session, link)
        is_owed = preference_links.owe(
            session,
            link.subscriber,
            asked_from=link.newsletter,
            templates=site.templates,
            keyring=site.keyring,
            base_url=site.settings.base_url,
            now=site.now(),
        )
    if is_owed:
        site.wakeups.wake(Queue.URGENT)
    return site.page(
        "link_mailed",
        **_language(site, link, about),
        newsletter=about if link.newsletter else None,
        address=addresses.mask(about.address),
        hours=int(FRESH_LIFETIME.total_seconds()) // 3600,
    )


def _language(site: Site, link: PreferencesLink, about: Row[Any] | None) -> dict[str, Any]:
    """Return the arguments of `page` for the reader's language; for the visitor's if no newsletter is known."""
    if link.newsletter and about:
        return {"tag": about.reading_language}
    offered = negotiation.offered_in_any(site.offered.get().newsletters.values())
    return {"tag": negotiation.best(link.wanted, offered), "negotiated": True}
