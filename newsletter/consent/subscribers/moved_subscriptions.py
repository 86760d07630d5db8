"""Where a subscription went when its reader moved to the address of another subscriber.

Links in letters name the subscriber to whom they went, and unsubscribe links never expire. So the links of letters to
the former address lead on to the subscriber who gets the newsletter now.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, delete, exists, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.store.database import Base


class MovedSubscription(Base):
    """The present subscriber instead of a former one, of one newsletter. There is no chain: each names the last."""

    __tablename__ = "moved_subscriptions"
    __table_args__ = {"info": {"personal": {"by": "subscriber_id", "on_erasure": "delete", "export": True}}}  # noqa: RUF012

    former_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # no key: letters outlive that row
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    moved_at: Mapped[datetime]  # when the former subscriber moved, wherever they went on from there


def record(
    session: Session, former_id: int, subscriber_id: int, newsletters: Collection[int], *, now: datetime
) -> None:
    """Note who gets these newsletters instead of the former subscriber, and of those who moved there before.

    The caller has locked both.
    """
    row = MovedSubscription
    about = row.newsletter_id.in_(newsletters)
    session.execute(delete(row).where(about, row.former_id.in_([former_id, subscriber_id])))
    session.execute(update(row).where(about, row.subscriber_id == former_id).values(subscriber_id=subscriber_id))
    values = {"former_id": former_id, "subscriber_id": subscriber_id, "moved_at": now}
    moved = [{**values, "newsletter_id": number} for number in newsletters]
    if moved:
        session.execute(insert(row), moved)


def forget(session: Session, former_id: int, newsletters: Collection[int]) -> None:
    """Let links of the former subscriber lead nowhere else: somebody confirmed these newsletters there anew."""
    row = MovedSubscription
    session.execute(delete(row).where(row.former_id == former_id, row.newsletter_id.in_(newsletters)))


def holder(subscriber_id: int, newsletter_id: int | None) -> ColumnElement[int]:
    """Return, in SQL, the subscriber whom a link of a letter to `subscriber_id` concerns now.

    It is the same one, unless they moved to another subscriber's address.

    None as newsletter: the letters of earlier releases have links that name none.
    """
    row = MovedSubscription
    reads = exists().where(Subscription.subscriber_id == subscriber_id, Subscription.standing == Standing.SUBSCRIBED)
    moved = select(row.subscriber_id).where(row.former_id == subscriber_id)
    if newsletter_id is not None:
        reads = reads.where(Subscription.newsletter_id == newsletter_id)
        moved = moved.where(row.newsletter_id == newsletter_id)
    first = moved.where(~reads).order_by(row.newsletter_id).limit(1)
    return func.coalesce(first.correlate(None).scalar_subquery(), subscriber_id)


def lock_holder(session: Session, subscriber_id: int, newsletter_id: int | None) -> Subscriber | None:
    """Return the `holder` and lock the row until the transaction ends; None if nothing is stored about them.

    If a move was stored while this waited for the row, it is the former subscriber, who has left.
    """
    return subscribers.lock_one(session, Subscriber.id == holder(subscriber_id, newsletter_id))
