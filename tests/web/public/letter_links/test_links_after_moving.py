"""After a move to the address of another subscriber, letters come there, and the links of old letters work."""

import pytest
from sqlalchemy import delete

from newsletter import newsletters
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.content.issues.issues import IssueStatus
from newsletter.doctor import examination
from newsletter.links import Purpose
from newsletter.queues.wakeups import Queue
from tests.builders import an_issue
from tests.changing_address import NEW, OLD, YES, ask, changed, fresh, heading, link, readers, subscriber_id
from tests.whole_service import WholeService

THIRD = "ana@third.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
READS, LEFT = Standing.SUBSCRIBED, Standing.LEFT
ON_SQLITE = pytest.mark.parametrize("service", ["sqlite"], indirect=True)  # the SQL is that of the tests without it


@pytest.fixture(autouse=True)
def _readers(service: WholeService):
    service.newsletter()
    service.newsletter("evening")
    service.reader(OLD)
    service.reader(NEW, "evening")
    service.clock.advance(hours=1)


def old_link(service: WholeService, purpose: Purpose = Purpose.UNSUBSCRIBE, address: str = OLD) -> str:
    """Return the path of a link in an issue of the morning newsletter that went to an address."""
    with service.site.database.reading() as session:
        morning = newsletters.named(session, "morning").id
    return service.site.links.url(purpose, subscriber_id(service, address), morning).removeprefix("http://localhost")


def move(service: WholeService, former: str, new: str) -> None:
    service.clock.advance(days=1)
    service.browser.post(fresh(service, former), data={"email": new})
    service.run(Queue.URGENT)
    assert service.browser.post(link(service, new), data=YES).status_code == 200


@pytest.mark.parametrize(
    ("purpose", "pressed", "evening"),
    [
        (Purpose.UNSUBSCRIBE, {"unsubscribe": "yes"}, READS),
        (Purpose.UNSUBSCRIBE, ONE_CLICK, READS),
        (Purpose.UNSUBSCRIBE, {"unsubscribe": "yes", "all": "yes"}, LEFT),
        (Purpose.PREFERENCES, {"leave": "yes"}, READS),
        (Purpose.PREFERENCES, {"all": "yes"}, LEFT),
    ],
)
def test_a_link_of_a_letter_to_the_former_address_stops_the_letters_to_the_new_one(service, purpose, pressed, evening):
    path = old_link(service, purpose)
    changed(service)
    assert readers(service)[NEW] == {"morning": READS, "evening": READS}
    before = heading(service.browser.get(path))
    for _ in range(2):
        assert service.browser.post(path, data=pressed).status_code == 200
    assert heading(service.browser.get(path)) != before
    assert readers(service)[NEW] == {"morning": LEFT, "evening": evening}


@ON_SQLITE
def test_the_notice_to_the_former_address_stops_the_letters_with_one_press(service):
    changed(service)
    stop = service.link(service.letters(to=OLD)[-1], "u")
    assert service.browser.post(stop, data=ONE_CLICK).status_code == 200
    assert readers(service)[NEW] == {"morning": LEFT, "evening": READS}


@ON_SQLITE
@pytest.mark.parametrize("last", [THIRD, OLD])
def test_links_follow_a_reader_who_moves_again_and_who_moves_back(service, last):
    service.reader(THIRD, "evening")
    first, second = old_link(service), None
    changed(service)
    second = old_link(service, address=NEW)
    move(service, NEW, last)
    assert readers(service)[last]["morning"] is READS
    assert service.browser.post(first, data=ONE_CLICK).status_code == 200
    assert readers(service)[last]["morning"] is LEFT
    with service.site.database.writing() as session:
        session.execute(delete(Subscriber).where(Subscriber.address_key == last))
    for path in (first, second):
        assert service.browser.post(path, data=ONE_CLICK).status_code == 200
        assert service.browser.get(path).status_code == 200


@ON_SQLITE
def test_who_signs_the_former_address_up_anew_stops_only_the_letters_that_come_there(service):
    path = old_link(service)
    changed(service)
    service.clock.advance(hours=1)
    service.sign_up(OLD)
    service.run(Queue.URGENT)
    service.clock.advance(days=1)
    assert service.browser.post(service.link(service.letters(to=OLD)[-1], "confirm"), data=YES).status_code == 200
    for _ in range(2):
        assert service.browser.post(path, data=ONE_CLICK).status_code == 200
    people = readers(service)
    assert (people[OLD]["morning"], people[NEW]["morning"]) == (LEFT, READS)


@ON_SQLITE
def test_a_request_that_nobody_confirms_at_the_former_address_keeps_its_links_working(service):
    path = old_link(service)
    changed(service)
    service.clock.advance(hours=1)
    service.sign_up(OLD)
    service.run(Queue.URGENT)
    assert service.browser.post(path, data=ONE_CLICK).status_code == 200
    assert readers(service)[NEW]["morning"] is LEFT


@ON_SQLITE
def test_a_fresh_link_in_the_former_inbox_shows_nothing_of_the_new_one_and_mails_the_next_there(service):
    path = fresh(service, page="")
    changed(service)
    for page in (path, f"{path}/address", path.replace("/preferences/", "/my-data/")):
        answer = service.browser.get(page)
        assert answer.status_code == 410
        assert "The Evening Letter" not in answer.text
    before = len(service.letters(to=OLD))
    assert service.browser.post(path, data={"link": "yes"}).status_code == 200
    service.run(Queue.URGENT)
    assert len(service.letters(to=OLD)) == before
    assert service.browser.get(service.link(service.letters(to=NEW)[-1], "preferences")).status_code == 200


@ON_SQLITE
def test_two_readers_who_move_to_the_same_inbox_both_get_their_letters_there(service):
    service.reader("bea@old.example", "evening")
    ask(service, THIRD)
    first = link(service, THIRD)
    service.browser.post(fresh(service, "bea@old.example"), data={"email": THIRD})
    service.run(Queue.URGENT)
    second = link(service, THIRD)
    for path in (first, second):
        assert service.browser.post(path, data=YES).status_code == 200
    assert readers(service)[THIRD] == {"morning": READS, "evening": READS}


def test_an_inbox_that_bounced_before_gets_letters_once_its_owner_confirms_there(service):
    with service.site.database.writing() as session:
        for address in (NEW, THIRD):
            suppressions.add(session, service.site.keyring, address, Reason.BOUNCED, now=service.clock())
    service.reader(THIRD)  # by a sign-up
    changed(service)
    with service.site.database.writing() as session:
        an_issue(
            session, newsletters.named(session, "morning"), status=IssueStatus.APPROVED, titles=("A bridge opens",)
        )
    service.run(Queue.BULK)
    issue = [each["To"] for each in service.letters() if "bridge" in each["Subject"]]
    assert sorted(str(to).rpartition(" ")[2].strip("<>") for to in issue) == [NEW, THIRD]
    with service.site.database.reading() as session:
        assert not examination.examine(session, keyring=service.site.keyring)
