"""A reader changes the address: by a freshly mailed link, confirmed at the new one, with notice to the former one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, text, update

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.address_changes import AddressChange, AddressChangeState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.links import FRESH_LIFETIME
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.letters import totals
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.mail.letters.totals import EXHIBIT
from newsletter.privacy import consent_history
from newsletter.queues.wakeups import Queue
from tests.changing_address import (
    NEVER,
    NEW,
    OLD,
    YES,
    ask,
    changed,
    fresh,
    heading,
    link,
    readers,
    subscriber_id,
)
from tests.waiting import eventually
from tests.web.public.answers import without
from tests.whole_service import WholeService

ON_SQLITE = pytest.mark.parametrize("service", ["sqlite"], indirect=True)  # the SQL is that of the tests without it


@pytest.fixture(autouse=True)
def _reader(service: WholeService):
    service.newsletter()
    service.newsletter("evening")
    service.reader(OLD)
    service.clock.advance(hours=1)


class WokenWorker:
    """A worker that looks at once, when it is woken, how many letters wait."""

    def __init__(self, service: WholeService) -> None:
        self._database = service.site.database
        self.found: list[int] = []

    def wake(self, queue: Queue) -> None:
        """Note the letters."""
        with self._database.reading() as session:
            self.found.append(len(session.scalars(select(Delivery.id).where(Delivery.decided_at.is_(None))).all()))


def test_a_worker_that_is_woken_by_a_confirmed_address_finds_the_notice_to_the_former_one(service):
    ask(service)
    path, worker = link(service), WokenWorker(service)
    service.browser.app.state.site = replace(service.site, wakeups=worker)
    service.browser.post(path, data=YES)
    assert worker.found == [1]


def test_letters_come_to_the_new_address_once_its_owner_has_pressed_the_button(service):
    answer = ask(service)
    assert heading(answer) == "Check the inbox of the new address"
    assert readers(service) == {OLD: {"morning": Standing.SUBSCRIBED}}
    before = service.rows()
    for _ in range(2):  # a scanner opens it, and posts something of its own
        assert service.browser.get(link(service)).status_code == 200
        assert service.browser.head(link(service)).status_code == 200
        assert service.browser.post(link(service), data={"other": "yes"}).status_code == 422
    assert service.rows() == before
    assert heading(service.browser.post(link(service), data=YES)) == "Your letters now come to this address"
    assert readers(service) == {NEW: {"morning": Standing.SUBSCRIBED}}


@ON_SQLITE
def test_the_proof_shows_that_the_consent_moved_and_how(service):
    changed(service)
    with service.site.database.reading() as session:
        person = session.get_one(Subscriber, subscriber_id(service, NEW))
        *_, confirmed, moved = consent_history.read(session, person.subject).entries
        assert (confirmed.event, moved.event) == (Event.CONFIRMED, Event.CONFIRMED)
        assert moved.wording == confirmed.wording
        assert moved.evidence["address"] == NEW
        assert moved.evidence["former_address"] == OLD
        assert moved.evidence["method"] == "button on the page that the link to the new address opens"
        assert len(moved.evidence["letter"]) == 64
        assert ledger.standing(entry.event for entry in ledger.history(session, person.subject)) is Standing.SUBSCRIBED


@ON_SQLITE
def test_the_former_address_is_told_and_can_stop_the_letters_with_one_press(service):
    changed(service)
    notice = service.letters(to=OLD)[-1]
    assert notice["Subject"] == "Your letters now go to another address"
    assert NEW not in notice.as_string()
    stop = service.link(notice, "u")
    assert service.browser.post(stop, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert readers(service) == {NEW: {"morning": Standing.LEFT}}


@ON_SQLITE
def test_the_letter_to_the_new_address_lets_a_stranger_unsubscribe_nobody(service):
    ask(service)
    letter = service.letters(to=NEW)[-1]
    assert letter["List-Unsubscribe"] is None
    assert [each.split("/")[1] for each in service.links(letter)] == ["address"]
    assert OLD not in letter.as_string()
    assert "Morning Letter" not in service.browser.get(link(service)).text.partition("<main")[2].partition("</main")[0]


@ON_SQLITE
def test_confirming_again_changes_nothing_and_says_that_it_is_done(service):
    path, before = changed(service), service.rows()
    assert heading(service.browser.post(path, data=YES)) == "Your letters now come to this address"
    assert heading(service.browser.get(path)) == "Your letters now come to this address"
    assert service.rows() == before


@ON_SQLITE
def test_a_link_ends_after_72_hours_or_when_another_change_is_asked_for(service):
    ask(service)
    first = link(service)
    ask(service, "other@new.example")
    second = link(service, "other@new.example")
    service.clock.advance(hours=71, minutes=59)
    assert service.browser.post(first, data=YES).status_code == 410
    assert service.browser.get(second).status_code == 200
    service.clock.advance(minutes=1)
    assert service.browser.post(second, data=YES).status_code == 410
    assert readers(service) == {OLD: {"morning": Standing.SUBSCRIBED}}


@ON_SQLITE
def test_the_answer_is_the_same_for_an_address_that_gets_letters_and_a_double_click_owes_one_letter(service):
    service.reader(NEW, "evening")
    known, unknown = ask(service), ask(service, "new@new.example")
    assert without(NEW, known) == without("new@new.example", unknown)
    ask(service, "new@new.example")
    assert len(service.letters(to="new@new.example")) == 1


def test_somebody_who_gets_letters_at_both_addresses_gets_each_newsletter_once(service):
    service.reader(OLD, "evening")
    service.reader(NEW, "evening")
    with service.site.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.address == OLD).values(name="Ana", zone="Asia/Tokyo"))
        session.execute(update(Subscriber).where(Subscriber.address == NEW).values(name="Ana Maria"))
    changed(service)
    with service.site.database.reading() as session:
        person = session.get_one(Subscriber, subscriber_id(service, NEW))
        assert (person.name, person.zone) == ("Ana Maria", "Asia/Tokyo")  # who named nothing keeps what they had chosen
    assert readers(service) == {
        OLD: {"morning": Standing.LEFT, "evening": Standing.LEFT},
        NEW: {"morning": Standing.SUBSCRIBED, "evening": Standing.SUBSCRIBED},
    }


def test_a_sign_up_of_the_new_address_that_is_answered_at_this_moment_gets_the_letters(service):
    if service.site.database.is_sqlite:  # it has one writer at a time
        return
    ask(service)
    path = link(service)
    with ThreadPoolExecutor(1) as pool:
        with service.site.database.writing() as session:
            row = {"subject": b"n" * 16, "address": NEW, "address_key": NEW, "fold_key": None, "suppressed": None}
            subscribers.create_all(session, [{**row, "created_at": service.clock()}])
            answer = pool.submit(service.browser.post, path, data=YES)
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            eventually(lambda: session.scalar(waiting))
        assert heading(answer.result()) == "Your letters now come to this address"
    with service.site.database.reading() as session:
        number = session.scalars(select(Subscriber.id).where(Subscriber.subject == b"n" * 16)).one()
        assert [each.standing for each in subscribers.subscriptions(session, number).values()] == [Standing.SUBSCRIBED]


def test_an_open_request_of_the_former_address_ends_with_it(service):
    service.sign_up(OLD, "evening")
    service.run(Queue.URGENT)
    confirm = service.link(service.letters(to=OLD)[-1], "confirm")
    changed(service)
    assert readers(service) == {NEW: {"morning": Standing.SUBSCRIBED}}
    assert service.browser.post(confirm, data=YES).status_code == 410


@ON_SQLITE
@pytest.mark.parametrize("new", ["", "ana@old", "ANA@OLD.example"])
def test_an_address_that_cannot_be_the_new_one_is_refused_in_words(service, new):
    answer = ask(service, new)
    assert answer.status_code == 422
    assert LexborHTMLParser(answer.text).css_first("#email-error").text()
    assert LexborHTMLParser(answer.text).css_first("input").attributes["value"] == new


@ON_SQLITE
def test_three_changes_a_day_write_letters_and_a_fourth_is_refused(service):
    answers = [ask(service, f"{number}@new.example").status_code for number in range(4)]
    assert answers == [200, 200, 200, 422]


@ON_SQLITE
def test_an_inbox_that_refused_all_mail_gets_no_letter_and_one_that_refuses_now_ends_the_change(service):
    ask(service)
    assert heading(service.browser.post(link(service), data=NEVER)) == "We will not write to this address again"
    assert service.browser.post(link(service), data=YES).status_code == 410
    count = len(service.letters())
    service.clock.advance(days=2)
    assert ask(service, "ana+tag@new.example").status_code == 200
    assert len(service.letters()) == count
    assert readers(service) == {OLD: {"morning": Standing.SUBSCRIBED}}


@ON_SQLITE
def test_a_link_that_has_run_out_changes_nothing_and_leads_to_the_page_that_mails_a_new_one(service):
    path = fresh(service)
    service.clock.advance(seconds=FRESH_LIFETIME.total_seconds() + 60)
    for answer in (service.browser.get(path), service.browser.post(path, data={"email": NEW})):
        assert answer.status_code == 410
        assert heading(answer).strip() == "This link has expired"
    with service.site.database.reading() as session:
        assert not session.scalars(select(AddressChange)).all()


@ON_SQLITE
def test_a_fresh_link_in_the_former_inbox_ends_with_the_change_and_mails_the_next_to_the_new_one(service):
    link_before = fresh(service, page="")
    changed(service)
    for path in (link_before, f"{link_before}/address", link_before.replace("/preferences/", "/my-data/")):
        answer = service.browser.get(path)
        assert answer.status_code == 410
        assert without(NEW, answer) == answer.text
    assert service.browser.post(link_before, data={"all": "yes", "save": "yes"}).status_code == 410
    count = len(service.letters(to=OLD))
    service.browser.post(link_before, data={"link": "yes"})
    service.run(Queue.URGENT)
    assert len(service.letters(to=OLD)) == count
    assert service.browser.get(service.link(service.letters(to=NEW)[-1], "preferences")).status_code == 200


def test_changes_are_deleted_with_both_addresses_and_the_sums_hold(service):
    changed(service)
    ask_again = service.browser.post(fresh(service, NEW), data={"email": "third@new.example"})
    assert ask_again.status_code == 200
    service.run()
    service.clock.advance(hours=72)
    service.run(Queue.UPKEEP)
    with service.site.database.reading() as session:
        assert [each.state for each in session.scalars(select(AddressChange))] == [AddressChangeState.CONFIRMED]
    service.clock.advance(days=5)
    service.run(Queue.UPKEEP)
    with service.site.database.reading() as session:
        assert not session.scalars(select(AddressChange)).all()
        assert not session.scalars(select(Delivery).where(Delivery.recipient.is_not(None))).all()
        audiences = select(Letter.audience).where(Letter.occasion == totals.total_of(LetterKind.ADDRESS))
        assert session.scalars(audiences).all() == [3]
        # The notice tells the new address in part, and a part of an address is not kept for ever either.
        kept = session.scalars(select(Exhibit.body).where(Exhibit.kind == EXHIBIT)).all()
        assert sorted(next(line for line in body.splitlines() if line.startswith(b"Subject:")) for body in kept) == [
            b"Subject: Please confirm your new address",
            b"Subject: Please confirm: The Morning Letter",
        ]
    assert readers(service) == {NEW: {"morning": Standing.SUBSCRIBED}}
