"""What we store about a reader, shown behind a freshly mailed link."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters, templating
from newsletter.consent.ledger.ledger import Event
from newsletter.consent.subscribers import reader_choices
from newsletter.consent.subscribers.subscribers import Subscription
from newsletter.consent.wordings.wordings import Wording
from newsletter.languages.languages import own_name
from newsletter.languages.translatable import Translatable, translatable
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.newsletters import Newsletter
from newsletter.privacy import consent_history, received_letters
from newsletter.privacy.consent_history import ConsentHistory, HistoryEntry
from newsletter.web import whole_numbers
from newsletter.web.public.letter_links import evidence_labels, fresh_links
from newsletter.web.public.letter_links.evidence_labels import EvidenceReader, EvidenceText
from newsletter.web.public.letter_links.fresh_links import FreshReader
from newsletter.web.public.preferences import pauses
from newsletter.web.site import CurrentSite, ReadingSession, Site

router = APIRouter()

EVENTS = {
    Event.REQUESTED: translatable("This address was entered for %(newsletter)s, and the box of consent was ticked."),
    Event.CONFIRMED: translatable("You confirmed %(newsletter)s."),
    Event.WITHDRAWN: translatable("You left %(newsletter)s."),
    Event.REFUSED: translatable("You told us never to write to this address."),
    Event.LAPSED: translatable("Nobody confirmed %(newsletter)s in time, so the request ended."),
}
MOVED = translatable("%(newsletter)s came to this address instead of another one of yours. You confirmed it here.")
GIVES_OR_ENDS = {Event.CONFIRMED, Event.WITHDRAWN, Event.REFUSED}  # a filled square marks them

STATES = {
    DeliveryStatus.QUEUED: translatable("waits to be sent"),
    DeliveryStatus.CLAIMED: translatable("waits to be sent"),
    DeliveryStatus.IN_DOUBT: translatable("perhaps sent"),
    DeliveryStatus.UNKNOWN: translatable("perhaps sent"),
    DeliveryStatus.SENT: translatable("sent"),
    DeliveryStatus.FAILED: translatable("could not be delivered"),
    DeliveryStatus.WITHHELD: translatable("not sent"),
    DeliveryStatus.CANCELLED: translatable("not sent"),
}


@router.get("/my-data/{token}")
def my_data(token: str, site: CurrentSite, session: ReadingSession, before: str = "") -> Response:
    """Show everything that is stored about the reader; of a long history a part, which ends at the entry `before`."""
    reader = fresh_links.read(site, session, token)
    if reader is None:
        return fresh_links.say_it_ended(site, token)
    history = consent_history.read(session, reader.subscriber.subject, before=whole_numbers.parse(before))
    letters = received_letters.read(session, reader.subscriber.id)
    names = {newsletter.slug: newsletter.name for newsletter in newsletters.every(session)}
    words_for = EvidenceReader(reader.language, reader.zone, names)
    return site.page(
        "my_data",
        **reader.shown(site),
        address=reader.subscriber.address,
        subscriber=reader.subscriber,
        spoken=own_name(reader.subscriber.language) if reader.subscriber.language else None,
        since=templating.local(reader.subscriber.created_at, reader.zone),
        zone=reader.zone,
        subscriptions=_subscriptions(site, session, reader),
        history=[_shown(entry, words_for) for entry in history.entries],
        earlier=f"?before={history.entries[0].ordinal}" if history.has_earlier else None,
        is_newest=not before,
        sent=letters.sent,
        letters=[
            {"newsletter": each.newsletter, "state": STATES[each.status], "at": templating.local(each.at, reader.zone)}
            for each in letters.last
        ],
        information=_information(history),
        can_change=reader.reads,
    )


def _subscriptions(site: Site, session: Session, reader: FreshReader) -> list[dict[str, Any]]:
    held = (
        select(Newsletter, Subscription)
        .join(Subscription, Subscription.newsletter_id == Newsletter.id)
        .where(Subscription.subscriber_id == reader.subscriber.id)
        .order_by(Newsletter.id)
    )
    return [
        {
            "newsletter": newsletter,
            "standing": each.standing,
            "spoken": own_name(each.language) if each.language else None,
            "since": templating.local(each.since, reader.zone),
            "paused_until": pauses.shown_end(each.paused_until, reader.zone, now=site.now()),
            "is_pause_open": reader_choices.is_open(each.paused_until),
        }
        for newsletter, each in session.execute(held)
    ]


def _shown(entry: HistoryEntry, reader: EvidenceReader) -> dict[str, Any]:
    """Return an entry in the reader's words and time."""
    told = MOVED if entry.former_address else EVENTS[entry.event]
    name = entry.newsletter.name if entry.newsletter else ""
    return {
        "number": entry.number,
        "mark": entry.digest[:4].hex(" ", 2),
        "at": templating.local(entry.at, reader.zone),
        "told": Translatable(told.singular, values={"newsletter": name}),
        "is_decision": entry.event in GIVES_OR_ENDS,
        "wording": _words(entry.wording) if entry.event in (Event.REQUESTED, Event.CONFIRMED) else None,
        "details": None if entry.evidence is None else _details(entry, reader),
    }


def _details(entry: HistoryEntry, reader: EvidenceReader) -> list[tuple[EvidenceText, EvidenceText]]:
    """Return all that is stored with an entry, in words."""
    words, stored = entry.wording, {**(entry.evidence or {}), **entry.trace}
    version = [evidence_labels.of_wording(words.version, words.language)] if words else []
    return [*evidence_labels.labelled(stored, reader), *version]


def _words(wording: Wording | None) -> dict[str, Any] | None:
    if wording is None:
        return None
    return {"text": wording.text, "language": wording.shown_language}


def _information(history: ConsentHistory) -> dict[str, Any] | None:
    """Return what the last form told about purpose, retention and recipients: {"language", "entries"}, or None."""
    told = [entry.wording.information for entry in history.entries if entry.wording]
    return next((each for each in reversed(told) if each), None)
