"""Both ways to owe a delivery create the same row."""

from sqlalchemy import literal, select

from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.mail.delivery import deliveries
from newsletter.mail.delivery.deliveries import DELIVERIES, Delivery, DeliveryStatus
from tests.builders import a_letter, a_newsletter, a_reader
from tests.clock import NOON


def columns(session, delivery: Delivery) -> dict:
    row = session.execute(select(*DELIVERIES.c).where(DELIVERIES.c.id == delivery.id)).one()
    return {name: value for name, value in row._mapping.items() if name not in {"id", "letter_id", "variant_id"}}


def test_a_letter_owed_to_one_reader_begins_like_one_that_is_owed_to_all(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter)
        of_one, (letter, variant) = a_letter(session, newsletter), a_letter(session, newsletter)
        all_readers = select(Subscriber.id, literal(variant.id)).where(Subscriber.id == reader.id)

        alone = deliveries.owe(session, *of_one, subscriber_id=reader.id, now=NOON)
        number = deliveries.owe_each(session, letter, all_readers, now=NOON)

        (among_all,) = session.scalars(select(Delivery).where(Delivery.letter_id == letter.id))
        assert number == 1
        assert columns(session, alone) == columns(session, among_all)
        assert (alone.status, alone.due_at, alone.attempt) == (DeliveryStatus.QUEUED, NOON, 0)


def test_a_letter_may_be_owed_to_a_recipient_who_is_not_a_subscriber(begin):
    with begin() as session:
        written = a_letter(session, a_newsletter(session))

        owed = deliveries.owe(session, *written, recipient="ana@example.org", now=NOON)

        assert session.scalars(select(Delivery.id).where(Delivery.recipient == "ana@example.org")).all() == [owed.id]


def test_no_letter_is_owed_if_no_subscriber_is_selected(begin):
    with begin() as session:
        letter, variant = a_letter(session, a_newsletter(session))
        nobody = select(Subscriber.id, literal(variant.id))

        assert deliveries.owe_each(session, letter, nobody, now=NOON) == 0
