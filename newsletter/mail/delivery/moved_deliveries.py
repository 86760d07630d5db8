"""Letters that are owed to a reader who moves to the address of another subscriber.

A delivery belongs to a subscriber, and the claim withholds it once that one has left. So it goes over to the subscriber
who gets the newsletter now, with its state: the reader gets the letter once, at the former address if it has left
already, else at the new one. If both are owed the same letter, each keeps its own, unless the present subscriber's has
ended without arriving; then the two rows change places.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from newsletter.consent.subscribers.moved_subscriptions import MovedSubscription
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.mail.delivery.deliveries import OPEN, WAITING, Delivery, DeliveryStatus, has_status, not_sent
from newsletter.mail.letters.letters import Letter, LetterKind, is_kind
from newsletter.newsletters import Newsletter

NOT_ARRIVED = (DeliveryStatus.FAILED, DeliveryStatus.WITHHELD, DeliveryStatus.CANCELLED)


def withhold_waiting(session: Session, subscriber_id: int, newsletters: Collection[int], *, now: datetime) -> None:
    """Withhold what a subscriber is owed of newsletters that they do not get now, as the claim would.

    Call it before somebody moves there: from then on they get these newsletters, and a letter that has left for the
    former address must not come in addition.
    """
    waiting = _owed(subscriber_id, newsletters, newsletters).where(has_status(*WAITING)).with_only_columns(Delivery.id)
    end = update(Delivery).where(Delivery.id.in_(waiting.with_for_update(of=Delivery, skip_locked=True)))
    status = not_sent(DeliveryStatus.WITHHELD)
    session.execute(end.values(status=status, decided_at=now), execution_options={"synchronize_session": False})


def hand_over(
    session: Session, former_id: int, subscriber_id: int, newsletters: Collection[int], *, new: Collection[int]
) -> None:
    """Give what is owed to the former subscriber, of these newsletters, to the one who gets them now.

    Of those that are `new` there, also the welcome. The caller has locked both subscribers and stored the move. It
    waits for an issue whose deliveries are just being written, and `hand_over_new` waits for moves, so none is missed.
    """
    for number in sorted(newsletters):
        session.execute(select(Newsletter.id).where(Newsletter.id == number).with_for_update(read=True))
    _hand_over(session, former_id, subscriber_id, _owed(former_id, newsletters, new))


def hand_over_new(session: Session, letter: Letter) -> None:
    """Give deliveries of a new letter to those who moved while they were written. Waits for moves that are under way.

    The statement that writes a million deliveries sees the readers as they were when it began.
    """
    session.execute(select(Newsletter.id).where(Newsletter.id == letter.newsletter_id).with_for_update(key_share=True))
    moved = MovedSubscription
    reads = exists().where(
        Subscription.subscriber_id == moved.former_id,
        Subscription.newsletter_id == moved.newsletter_id,
        Subscription.standing == Standing.SUBSCRIBED,
    )
    owed = and_(Delivery.letter_id == letter.id, Delivery.subscriber_id == moved.former_id)
    missed = select(moved.former_id, moved.subscriber_id).join(Delivery, owed)
    missed = missed.where(moved.newsletter_id == letter.newsletter_id, ~reads)
    for former_id, subscriber_id in session.execute(missed).all():
        owed_former = select(Delivery).where(Delivery.letter_id == letter.id, Delivery.subscriber_id == former_id)
        _hand_over(session, former_id, subscriber_id, owed_former)


def _owed(subscriber_id: int, issues_of: Collection[int], welcomes_of: Collection[int]) -> Select[Delivery]:
    """Return a query for the open deliveries of issues and welcomes of these newsletters to a subscriber."""
    is_issue = and_(Letter.issue_id.is_not(None), Letter.newsletter_id.in_(issues_of))
    is_welcome = and_(is_kind(LetterKind.WELCOME), Letter.newsletter_id.in_(welcomes_of))
    owed = select(Delivery).join(Letter, Letter.id == Delivery.letter_id)
    return owed.where(Delivery.subscriber_id == subscriber_id, has_status(*OPEN), or_(is_issue, is_welcome))


def _hand_over(session: Session, former_id: int, subscriber_id: int, owed: Select[Delivery]) -> None:
    former = _locked(session, owed)
    letters = [each.letter_id for each in former]
    present = select(Delivery).where(Delivery.subscriber_id == subscriber_id, Delivery.letter_id.in_(letters))
    present_of = {each.letter_id: each for each in _locked(session, present)}
    for delivery in former:
        other = present_of.get(delivery.letter_id)
        if other and other.status not in NOT_ARRIVED:
            continue  # it has come there, or will; the claim withholds the former one
        if other:
            other.subscriber_id = None  # for a moment: a subscriber has one row of a letter
            session.flush()
        delivery.subscriber_id = subscriber_id
        session.flush()
        if other:
            other.subscriber_id = former_id
            session.flush()


def _locked(session: Session, deliveries: Select[Delivery]) -> Sequence[Delivery]:
    locked = deliveries.order_by(Delivery.id).with_for_update(of=Delivery)
    return session.scalars(locked.execution_options(populate_existing=True)).all()
