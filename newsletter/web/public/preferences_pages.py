"""The preferences pages: what a link in a letter shows and does, and the page of all newsletters of an address.

Letters get forwarded. So a letter's link names its own newsletter only, and can end that or everything; the page that
names all newsletters needs a link that was just mailed to the address (`mailings.preference_links`). There the reader
also chooses the language of each. No link can add anything: that takes a sign-up and its confirmation.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Row, Select, and_, select, true
from sqlalchemy.orm import Session

from newsletter import addresses, templating
from newsletter.consent import decisions, subscribers
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired, LinkUnreadable
from newsletter.links import FRESH_LIFETIME, Purpose, fresh_until, is_fresh
from newsletter.mail.mailings import preference_links
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from newsletter.web import negotiation
from newsletter.web.form_data import FormData, RequestForm, is_checked
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.negotiation import WantedLanguages
from newsletter.web.public import preferred_languages
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site

router = APIRouter()


class PreferencesLink(NamedTuple):
    """What a token names, and the languages that the visitor's browser wants."""

    subscriber: int
    newsletter: int | None = None  # whose letter it is from; None: a letter of an older release, or a fresh link
    minute: int | None = None  # of a fresh link
    is_fresh: bool = False  # it works now
    wanted: Sequence[str] = ()  # for pages that do not know the reader's language


@router.get("/preferences/{token}")
def preferences_page(token: str, site: CurrentSite, session: ReadingSession, wanted: WantedLanguages) -> HTMLResponse:
    """Show the page of the link's kind."""
    return _page(site, session, _read(site, token, wanted))


@router.post("/preferences/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def preferences(
    token: str, form: RequestForm, site: CurrentSite, trace: RequestTrace, wanted: WantedLanguages
) -> HTMLResponse:
    """Do what the pressed button says: mail a fresh link, or stop newsletters.

    A POST without a button of the page changes nothing: its answer is the page again.
    """
    link = _read(site, token, wanted)
    if is_checked(form, "link"):
        return _mail_link(site, link)
    with site.database.writing() as session:
        subscriber = subscribers.lock_by_id(session, link.subscriber)
        if subscriber is None or subscriber.address is None:
            raise LinkExpired(newsletter_id=link.newsletter)
        if is_checked(form, "save") and not link.is_fresh:
            return _of_letter(site, session, link, is_too_late=True)
        if not _pressed(link, form):
            return _page(site, session, link, status=422)
        subscribed = _subscribed(session, link) if link.is_fresh else []
        dropped = _dropped(link, subscribed, form)
        how = "preferences page"
        stopped = decisions.withdraw(session, subscriber, newsletters=dropped, how=how, trace=trace, now=site.now())
        if link.is_fresh:
            kept = [row for row in subscribed if row.id not in stopped]
            translated = preferred_languages.change(session, link.subscriber, kept, form)
            return _all(site, session, link, saved=_Saved(stopped, [row.id for row in translated]))
        left = _about(session, link) if link.newsletter else None
        return site.page("unsubscribed", **_language(site, link, left), newsletter=left, everything=dropped is None)


def _read(site: Site, token: str, wanted: Sequence[str]) -> PreferencesLink:
    try:
        subscriber, *of_newsletter = site.links.read(token, Purpose.PREFERENCES)
    except LinkUnreadable:
        subscriber, minute = site.links.read(token, Purpose.FRESH_PREFERENCES)
        return PreferencesLink(subscriber, None, minute, is_fresh(minute, now=site.now()), wanted)
    return PreferencesLink(subscriber, of_newsletter[0] if of_newsletter else None, wanted=wanted)


def _language(site: Site, link: PreferencesLink, about: Row[Any] | None) -> dict[str, Any]:
    """Return the arguments of `page` for the reader's language; for the visitor's if no newsletter is known."""
    if link.newsletter and about:
        return {"tag": about.reading_language}
    offered = negotiation.offered_in_any(site.offered.get().newsletters.values())
    return {"tag": negotiation.best(link.wanted, offered), "negotiated": True}


def _page(site: Site, session: Session, link: PreferencesLink, *, status: int = 200) -> HTMLResponse:
    show = _all if link.is_fresh else _of_letter
    return show(site, session, link, status=status)


def _pressed(link: PreferencesLink, form: FormData) -> bool:
    """Whether a button that stops newsletters was pressed, one that the link's page has."""
    own = "save" if link.is_fresh else "leave" if link.newsletter is not None else "all"
    return is_checked(form, "all") or is_checked(form, own)


def _dropped(link: PreferencesLink, subscribed: Sequence[Row[Any]], form: FormData) -> list[int] | None:
    """Return the newsletters that the pressed button stops; None: all."""
    if is_checked(form, "all"):
        return None
    if link.newsletter is not None:
        return [link.newsletter]
    kept = form.get("newsletters", ())
    # The form does not list subscriptions that wait for confirmation, so their absence from it means nothing.
    return [row.id for row in subscribed if row.slug not in kept]


def _subscribed(session: Session, link: PreferencesLink) -> list[Row[Any]]:
    return [row for row in _newsletters(session, link) if row.standing is Standing.SUBSCRIBED]


def _mail_link(site: Site, link: PreferencesLink) -> HTMLResponse:
    """Owe a fresh link, and answer the same whether one is owed or not."""
    with site.database.writing() as session:
        about = _about(session, link)
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


def _of_letter(
    site: Site, session: Session, link: PreferencesLink, *, status: int = 200, is_too_late: bool = False
) -> HTMLResponse:
    """Show what a letter's link can do; a fresh link that has run out can do as much.

    `is_too_late`: the reader saved a page of all newsletters for which the link no longer suffices.
    """
    about, has_run_out = _about(session, link), is_too_late or link.minute is not None
    return site.page(
        "letter_preferences",
        **_language(site, link, about),
        status=410 if has_run_out else status,
        newsletter=about if link.newsletter else None,
        address=addresses.mask(about.address),
        standing=about.standing if link.newsletter else None,
        has_run_out=has_run_out,
    )


def _about(session: Session, link: PreferencesLink) -> Row[Any]:
    """Return the address, and the columns and standing of the link's newsletter if it has one.

    Raises LinkExpired if the address was erased, and LinkUnreadable without the newsletter: none is ever deleted.
    """
    about = select(Subscriber.address).where(Subscriber.id == link.subscriber, Subscriber.address.is_not(None))
    if link.newsletter is not None:
        about = _with_newsletters(about).where(Newsletter.id == link.newsletter)
    row: Row[Any] | None = session.execute(about).one_or_none()
    if row is None:
        if link.newsletter is not None and session.get(Newsletter, link.newsletter) is None:
            raise LinkUnreadable
        raise LinkExpired(newsletter_id=link.newsletter)
    return row


def _newsletters(session: Session, link: PreferencesLink) -> list[Row[Any]]:
    """Return all newsletters, oldest first, each with the address and its standing."""
    about = select(Subscriber.address).where(Subscriber.id == link.subscriber, Subscriber.address.is_not(None))
    return list(session.execute(_with_newsletters(about).order_by(Newsletter.id)))


def _with_newsletters(about: Select[Any]) -> Select[Any]:
    return (
        about.add_columns(*Newsletter.__table__.columns, Subscription.standing, Subscription.since)
        .add_columns(subscribers.reading_language())
        .select_from(Subscriber)
        .join(Newsletter, true())
        .outerjoin(
            Subscription,
            and_(Subscription.subscriber_id == Subscriber.id, Subscription.newsletter_id == Newsletter.id),
        )
    )


class _Saved(NamedTuple):
    """What a POST did: the ids of the newsletters that it stopped, and of those that now come in another language."""

    stopped: Sequence[int]
    translated: Sequence[int]


def _all(
    site: Site, session: Session, link: PreferencesLink, *, status: int = 200, saved: _Saved | None = None
) -> HTMLResponse:
    """Show all newsletters, and what was saved."""
    offered = _newsletters(session, link)
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
                "languages": preferred_languages.choices(row),
            }
            for row in subscribed
        ],
        others=[row for row in offered if row.standing is not Standing.SUBSCRIBED],
        stopped=[row.name for row in offered if saved and row.id in saved.stopped],
        translated=[row.name for row in offered if saved and row.id in saved.translated],
        saved=saved is not None,
        preferences=_path(site, link),
    )


def _path(site: Site, link: PreferencesLink) -> str:
    token = site.links.token(Purpose.FRESH_PREFERENCES, link.subscriber, link.minute or 0)
    return f"{site.root}/preferences/{token}"
