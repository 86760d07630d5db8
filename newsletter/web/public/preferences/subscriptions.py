"""Read the newsletters of an address, each with its standing, in one statement."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, select, true
from sqlalchemy.orm import Session

from newsletter.consent.subscribers import moved_subscriptions, subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.errors import LinkExpired, LinkUnreadable
from newsletter.newsletters import Newsletter
from newsletter.web.public.preferences.links import PreferencesLink


def named_by(session: Session, link: PreferencesLink) -> Row[Any]:
    """Return the address, and the columns and standing of the link's newsletter if it has one.

    They are those of the subscriber to whose address the reader has moved, if they did.
    Raises LinkExpired if the address was erased, and LinkUnreadable without the newsletter: none is ever deleted.
    """
    about = _address(moved_subscriptions.holder(link.subscriber, link.newsletter))
    if link.newsletter is not None:
        about = _with_newsletters(about).where(Newsletter.id == link.newsletter)
    row: Row[Any] | None = session.execute(about).one_or_none()
    if row is None:
        if link.newsletter is not None and session.get(Newsletter, link.newsletter) is None:
            raise LinkUnreadable
        raise LinkExpired(newsletter_id=link.newsletter)
    return row


def every(session: Session, link: PreferencesLink) -> list[Row[Any]]:
    """Return all newsletters, oldest first, each with the address and its standing; none if the address was erased.

    The link is fresh, or was. It never shows another subscriber's: the former inbox may be somebody else's by now.
    """
    return list(session.execute(_with_newsletters(_address(link.subscriber)).order_by(Newsletter.id)))


def present(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Return those that the address gets, also while it pauses them."""
    return [row for row in rows if row.standing is Standing.SUBSCRIBED]


def _address(subscriber: int | ColumnElement[int]) -> Select[Any]:
    about = select(Subscriber.address).add_columns(Subscriber.id.label("subscriber_id"))
    return about.where(Subscriber.id == subscriber, Subscriber.address.is_not(None))


def _with_newsletters(about: Select[Any]) -> Select[Any]:
    return (
        about.add_columns(*Newsletter.__table__.columns, subscribers.reading_language())
        .add_columns(Subscription.standing, Subscription.since, Subscription.paused_until)
        .add_columns(Subscriber.name.label("reader_name"), Subscriber.zone.label("reader_zone"))
        .select_from(Subscriber)
        .join(Newsletter, true())
        .outerjoin(
            Subscription,
            and_(Subscription.subscriber_id == Subscriber.id, Subscription.newsletter_id == Newsletter.id),
        )
    )
