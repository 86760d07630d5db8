"""The page after leaving: it asks for a reason, which nobody need give, and offers a way back."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse
from sqlalchemy import Row, and_, select
from sqlalchemy.orm import Session

from newsletter.consent.decisions import leaving_reasons
from newsletter.consent.decisions.leaving_reasons import ReasonToLeave, Withdrawal
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups import returning
from newsletter.consent.signups.returning import AFTER_LEAVING
from newsletter.consent.subscribers import moved_subscriptions, subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.errors import LinkUnreadable, Malformed
from newsletter.languages.languages import language
from newsletter.languages.translatable import translatable
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter
from newsletter.web import whole_numbers
from newsletter.web.form_data import FormData, first_value
from newsletter.web.site import Site

CHANGED_WORDS = translatable("The words of consent have changed meanwhile. Please read them once more.")
MAX_SHOWN_CHARACTERS = 2000  # of an entered comment
COLUMNS = ("slug", "name", "publisher", "sender", "site_url", "postal_address", "brand", "language", "other_languages")
NOTHING: Mapping[str, str] = {"reason": "", "comment": ""}


def read(session: Session, subscriber_id: int, newsletter_id: int) -> Row[Any]:
    """Return a newsletter with the address, standing and language of its reader, as far as they are known.

    The reader is the subscriber who got its letter, or the one to whose address that one has moved.
    Raises LinkUnreadable without the newsletter: none is ever deleted, so no letter held this link.
    """
    about = (
        select(*(getattr(Newsletter, column) for column in COLUMNS))
        .add_columns(Newsletter.id, Subscriber.id.label("subscriber_id"), Subscriber.address, Subscriber.subject)
        .add_columns(Subscriber.suppressed, Subscription.standing, Subscription.since, subscribers.reading_language())
        .select_from(Newsletter)
        .outerjoin(Subscriber, Subscriber.id == moved_subscriptions.holder(subscriber_id, newsletter_id))
        .outerjoin(
            Subscription,
            and_(Subscription.subscriber_id == Subscriber.id, Subscription.newsletter_id == Newsletter.id),
        )
    )
    found = session.execute(about.where(Newsletter.id == newsletter_id)).one_or_none()
    if found is None:
        raise LinkUnreadable
    return found


def has_left(about: Row[Any]) -> bool:
    """Return whether the person has left this newsletter and is still known here."""
    return bool(about.address) and about.standing is Standing.LEFT


def may_return(about: Row[Any]) -> bool:
    """Return whether the person has left, or has asked to be asked again: the button may be pressed twice."""
    return has_left(about) or (bool(about.address) and about.standing is Standing.ASKED)


def show(
    site: Site,
    session: Session,
    about: Row[Any],
    *,
    everything: bool = False,
    told: ReasonToLeave | None = None,
    entered: Mapping[str, str] = NOTHING,
    errors: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Say that this newsletter, or everything, has stopped. `about` is what `read` returned after the withdrawal.

    Both forms of the page post to the unsubscribe link, whichever link led here.
    """
    forms: dict[str, Any] = {}
    if has_left(about):
        asks = told is None and not leaving_reasons.is_given(session, site.keyring, _withdrawal(about))
        token = site.links.token(Purpose.UNSUBSCRIBE, about.subscriber_id, about.id)
        forms = {
            "action": f"{site.root}/u/{token}",
            "reasons": [each.value for each in ReasonToLeave] if asks else None,
            "return_form": _return_form(site, about),
            "told": told,
            "entered": entered,
            "comment_characters": leaving_reasons.MAX_COMMENT_CHARACTERS,
            "errors": errors or {},
        }
    status = 422 if errors else 200
    tag = about.reading_language
    return site.page("unsubscribed", tag=tag, newsletter=about, status=status, everything=everything, **forms)


def _withdrawal(about: Row[Any]) -> Withdrawal:
    return Withdrawal(about.subject, about.id, about.since)


def _return_form(site: Site, about: Row[Any]) -> dict[str, Any] | None:
    """Return what the way back shows; None if the newsletter takes no sign-ups, or the person wants no mail at all."""
    newsletter = site.offered.get().newsletters.get(about.slug)
    published = newsletter and site.offered.get().current(newsletter, about.reading_language)
    if not published or about.suppressed:
        return None
    words = returning.rendered(site.templates, published.wording, AFTER_LEAVING)
    return {"wording": published.wording.id, "exhibit": returning.exhibit_of(words), "words": words}


def tell(site: Site, session: Session, about: Row[Any], form: FormData) -> HTMLResponse:
    """Store the reason that a form of somebody who has left tells, unless one was told before."""
    entered = {field: first_value(form, field)[:MAX_SHOWN_CHARACTERS] for field in NOTHING}
    try:
        reason, comment = leaving_reasons.checked(first_value(form, "reason"), first_value(form, "comment"))
    except Malformed as error:
        told = language(about.reading_language).text(error.told)
        return show(site, session, about, entered=entered, errors={error.field: told})
    leaving_reasons.give(session, site.keyring, _withdrawal(about), reason, comment, now=site.now())
    return show(site, session, about, told=reason)


def ask_again(site: Site, session: Session, about: Row[Any], form: FormData, trace: Trace) -> HTMLResponse:
    """Take the sign-up of somebody who has left, if the form showed the words as they are; say what comes next.

    A form that was left open counts with its own version of the words.
    """
    number = whole_numbers.parse(first_value(form, "wording"))
    exhibit = first_value(form, "exhibit")
    shown = returning.shown(session, site.templates, AFTER_LEAVING, number=number, exhibit=exhibit)
    if shown is None or shown[0].newsletter_id != about.id or shown[0].newsletters is not None:
        told = language(about.reading_language).text(CHANGED_WORDS)
        return show(site, session, about, errors={"words": told})
    wording, words = shown
    returning.ask(
        session,
        site.keyring,
        AFTER_LEAVING,
        address=about.address,
        newsletters=[about.id],
        wording=wording,
        words=words,
        language=about.reading_language,
        trace=trace,
        now=site.now(),
    )
    context = {"sender": about.sender, "outbox": site.shows_outbox}
    return site.page("returning", tag=about.reading_language, newsletter=about, status=202, **context)
