"""Change a reader's address as a reader does: by a freshly mailed link, confirmed at the new address."""

from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import newsletters
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.doctor import examination
from newsletter.links import Purpose, minute_of
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

OLD, NEW = "ana@old.example", "ana@new.example"
YES, NEVER = {"confirm": "yes"}, {"never": "yes"}


def subscriber_id(service: WholeService, address: str) -> int:
    with service.site.database.reading() as session:
        return session.scalars(select(Subscriber.id).where(Subscriber.address_key == address)).one()


def fresh(service: WholeService, address: str = OLD, page: str = "/address") -> str:
    """Return the path of a page behind a link that was mailed to the address just now."""
    ids = subscriber_id(service, address), minute_of(service.clock())
    return f"/preferences/{service.site.links.token(Purpose.FRESH_PREFERENCES, *ids)}{page}"


def ask(service: WholeService, new: str = NEW, **more):
    answer = service.browser.post(fresh(service), data={"email": new, **more})
    service.run(Queue.URGENT)
    return answer


def link(service: WholeService, new: str = NEW) -> str:
    return service.link(service.letters(to=new)[-1], "address")


def changed(service: WholeService) -> str:
    """Ask for the change and confirm it; return the link."""
    assert ask(service).status_code == 200
    service.clock.advance(minutes=5)
    path = link(service)
    assert service.browser.post(path, data=YES).status_code == 200
    service.run(Queue.URGENT)
    return path


def readers(service: WholeService) -> dict[str, dict[str, Standing]]:
    """Return the standings by address and newsletter; the database is as the doctor wants it."""
    with service.site.database.reading() as session:
        assert not examination.examine(session, keyring=service.site.keyring)
        slugs = {each.id: each.slug for each in newsletters.every(session)}
        return {
            person.address or "": {
                slugs[number]: each.standing for number, each in subscribers.subscriptions(session, person.id).items()
            }
            for person in session.scalars(select(Subscriber))
        }


def heading(answer) -> str:
    return LexborHTMLParser(answer.text).css_first("h1").text()
