"""The page behind a letter's link: it tells about its own newsletter only, and can pause or stop that.

It can also stop everything. A pause is ended there as well: that sends no letter for which there is no consent.
"""

from typing import Any

from fastapi.responses import HTMLResponse
from sqlalchemy import Row
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.subscribers import reader_choices
from newsletter.consent.subscribers.reader_choices import PAUSE_WEEKS
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.links import FRESH_HOURS
from newsletter.mail.mailings import preference_links
from newsletter.queues.wakeups import Queue
from newsletter.store import conflicts
from newsletter.web import negotiation
from newsletter.web.form_data import FormData, first_value, is_checked
from newsletter.web.public.letter_links import left_page
from newsletter.web.public.preferences import pauses, subscriptions
from newsletter.web.public.preferences.links import PreferencesLink
from newsletter.web.public.preferences.pauses import PauseChange
from newsletter.web.site import Site


def show(
    site: Site,
    session: Session,
    link: PreferencesLink,
    *,
    status: int = 200,
    is_too_late: bool = False,
    done: PauseChange | None = None,
) -> HTMLResponse:
    """Show what a letter's link can do; a fresh link that has run out can do as much.

    `is_too_late`: the reader saved a page of all newsletters for which the link no longer suffices. `done`: the pause
    that a button has just begun or ended.
    """
    about, has_run_out = subscriptions.named_by(session, link), is_too_late or link.minute is not None
    return site.page(
        "letter_preferences",
        **_language(site, link, about),
        status=410 if has_run_out else status,
        newsletter=about if link.newsletter else None,
        address=addresses.mask(about.address),
        token=link.token(site),
        standing=about.standing if link.newsletter else None,
        paused_until=pauses.end_of(about, now=site.now()) if link.newsletter else None,
        is_pause_open=bool(link.newsletter and reader_choices.is_open(about.paused_until)),
        weeks=PAUSE_WEEKS,
        has_paused=done is not None and done.until is not None,
        has_resumed=done is not None and done.until is None,
        has_run_out=has_run_out,
    )


def press(
    site: Site, session: Session, link: PreferencesLink, form: FormData, subscriber: Subscriber, trace: Trace
) -> HTMLResponse:
    """Do what a button of the page says. The subscriber's row is locked."""
    now = site.now()
    everything = is_checked(form, "all")
    if everything or (is_checked(form, "leave") and link.newsletter is not None):
        ended = None if everything or link.newsletter is None else [link.newsletter]
        decisions.withdraw(session, subscriber, newsletters=ended, how=EvidenceTerm.PREFERENCES, trace=trace, now=now)
        return left(site, session, link, everything=everything)
    about = subscriptions.named_by(session, link)
    is_reader = link.newsletter is not None and about.standing is Standing.SUBSCRIBED
    done = pauses.chosen(about, form, "pause", now=now) if is_reader else None
    if done and link.newsletter is not None:
        reader_choices.set_pause(session, subscriber.id, link.newsletter, done.until)
        return show(site, session, link, done=done)
    # Pressed twice, or after leaving, it has nothing to change: the page says how things stand.
    was_pressed = link.newsletter is not None and pauses.is_offered(first_value(form, "pause"))
    return show(site, session, link, status=200 if was_pressed else 422)


def left(site: Site, session: Session, link: PreferencesLink, *, everything: bool) -> HTMLResponse:
    """Say that this newsletter, or everything, has stopped."""
    if link.newsletter is None:
        return site.page("unsubscribed", **_language(site, link, None), newsletter=None, everything=True)
    about = left_page.read(session, link.subscriber, link.newsletter)
    return left_page.show(site, session, about, everything=everything)


def mail_link(site: Site, link: PreferencesLink) -> HTMLResponse:
    """Owe a fresh link, and answer the same whether one is owed or not."""

    def owe() -> tuple[Row[Any], bool]:
        with site.database.writing() as session:
            about = subscriptions.named_by(session, link)
            is_owed = preference_links.owe(
                session,
                about.subscriber_id,
                asked_from=link.newsletter,
                templates=site.templates,
                keyring=site.keyring,
                base_url=site.settings.base_url,
                now=site.now(),
            )
            return about, is_owed

    about, is_owed = conflicts.repeat(owe)  # the request has had a transaction before, so it cannot be repeated itself
    if is_owed:
        site.wakeups.wake(Queue.URGENT)
    return site.page(
        "link_mailed",
        **_language(site, link, about),
        newsletter=about if link.newsletter else None,
        address=addresses.mask(about.address),
        hours=FRESH_HOURS,
        asks_for_data=False,
    )


def _language(site: Site, link: PreferencesLink, about: Row[Any] | None) -> dict[str, Any]:
    """Return the arguments of `page` for the reader's language; for the visitor's if no newsletter is known."""
    if link.newsletter and about:
        return {"tag": about.reading_language}
    offered = negotiation.offered_in_any(site.offered.get().newsletters.values())
    return {"tag": negotiation.best(link.wanted, offered), "negotiated": True}
