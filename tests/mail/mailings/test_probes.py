"""A probe is queued, claimed, sent and recorded like every letter, without a subscriber."""

from sqlalchemy import select

from newsletter import templating
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.mailings import probes
from newsletter.queues.wakeups import Queue


def write(stage, recipient: str) -> int:
    newsletter = stage.newsletter()
    with stage.site.database.writing() as session:
        return probes.write(
            session,
            newsletter,
            recipient,
            templates=templating.environment(),
            base_url=stage.site.settings.base_url,
            actor="tests",
            now=stage.clock(),
        )


def test_a_probe_arrives_with_the_headers_of_every_letter(stage):
    number = write(stage, "me@example.org")
    stage.reader("ana@example.org")
    stage.run(Queue.URGENT)
    (letter,) = stage.letters(to="me@example.org")
    other = stage.letters(to="ana@example.org")[0]
    assert letter.keys() == other.keys()
    assert letter["Subject"] == "A probe of The Morning Letter"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    with stage.site.database.reading() as session:
        assert session.get_one(Delivery, number).status is DeliveryStatus.SENT
        assert examination.examine(session) == []


def test_the_unsubscribe_link_of_a_probe_leads_to_no_subscription(stage):
    write(stage, "me@example.org")
    stage.reader("ana@example.org")
    stage.run(Queue.URGENT)
    (letter,) = stage.letters(to="me@example.org")
    link = stage.link(letter, "u")
    assert stage.browser.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 404
    with stage.site.database.reading() as session:
        assert len(session.scalars(select(Delivery)).all()) == 2
