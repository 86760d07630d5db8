"""What readers choose for themselves: pauses, languages, name and time zone.

None of it is consent, and none is needed to prove one, so neither the ledger nor the audit log records it.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Update, update
from sqlalchemy.orm import Session

from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription

PAUSE_WEEKS = (1, 2, 4, 8)  # from which a reader chooses
# The end of a pause that lasts until its reader ends it. Far away, and yet a time that every zone can tell.
OPEN_END = datetime(9000, 1, 1, tzinfo=UTC)


def pause_end(weeks: int | None, *, now: datetime) -> datetime:
    """Return when a pause of so many weeks ends that begins now; None: when its reader ends it."""
    return OPEN_END if weeks is None else now + timedelta(weeks=weeks)


def is_paused(paused_until: datetime | None, *, now: datetime) -> bool:
    """Return whether a subscription is paused now, as the claim statement sees it: a pause ends by itself."""
    return paused_until is not None and paused_until > now


def is_open(paused_until: datetime | None) -> bool:
    """Return whether a pause ends only by its reader."""
    return paused_until is not None and paused_until >= OPEN_END


def set_pause(session: Session, subscriber_id: int, newsletter_id: int, until: datetime | None) -> None:
    """Send a reader no issue of a newsletter until then; None ends a pause.

    It takes effect at once, also for an issue that is being sent: each claim of a letter reads it. Letters that came
    due meanwhile are not sent later. Without a present subscription it changes nothing.
    """
    pausing = _of(subscriber_id, newsletter_id).where(Subscription.standing == Standing.SUBSCRIBED)
    session.execute(pausing.values(paused_until=until))


def set_language(session: Session, subscriber_id: int, newsletter_id: int, tag: str) -> None:
    """Set the language of a subscription's letters and pages."""
    session.execute(_of(subscriber_id, newsletter_id).values(language=tag))


def set_details(session: Session, subscriber_id: int, details: dict[str, str | None]) -> None:
    """Set a reader's `name` or `zone`, or both; None removes one."""
    session.execute(update(Subscriber).where(Subscriber.id == subscriber_id).values(details))


def _of(subscriber_id: int, newsletter_id: int) -> Update:
    hers = Subscription.subscriber_id == subscriber_id, Subscription.newsletter_id == newsletter_id
    return update(Subscription).where(*hers)
