"""A probe is queued, claimed, sent and recorded like every letter, without a subscriber."""

from sqlalchemy import select

from newsletter import templating
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.mailings import probes
from newsletter.queues.wakeups import Queue


def write(service, recipient: str) -> int:
    newsletter = service.newsletter()
    with service.site.database.writing() as session:
        return probes.write(
            session,
            newsletter,
            recipient,
            templates=templating.environment,
            base_url=service.site.settings.base_url,
            actor="tests",
            now=service.clock(),
        )


def test_a_probe_arrives_with_the_headers_of_every_letter(service):
    number = write(service, "me@example.org")
    service.reader("ana@example.org")
    service.run(Queue.URGENT)
    (letter,) = service.letters(to="me@example.org")
    other = service.letters(to="ana@example.org")[0]
    assert letter.keys() == other.keys()
    assert letter["Subject"] == "A probe of The Morning Letter"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    with service.site.database.reading() as session:
        assert session.get_one(Delivery, number).status is DeliveryStatus.SENT
        assert examination.examine(session) == []


def test_the_unsubscribe_link_of_a_probe_leads_to_no_subscription(service):
    write(service, "me@example.org")
    service.reader("ana@example.org")
    service.run(Queue.URGENT)
    (letter,) = service.letters(to="me@example.org")
    link = service.link(letter, "u")
    assert service.browser.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 404
    with service.site.database.reading() as session:
        assert len(session.scalars(select(Delivery)).all()) == 2
