"""Whoever asks for a change of address learns nothing about the new inbox, neither then nor afterwards."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.address_changes import AddressChange
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.mail.letters.letters import Letter
from newsletter.privacy import address_confirmations
from newsletter.queues.wakeups import Queue
from tests.changing_address import NEW, OLD, ask, fresh
from tests.statements import executed
from tests.waiting import eventually
from tests.web.public.answers import without
from tests.whole_service import WholeService

NEVER, KNOWN, UNKNOWN = "never@new.example", "known@new.example", "other@new.example"


@pytest.fixture(autouse=True)
def _reader(service: WholeService):
    service.newsletter()
    service.newsletter("evening")
    service.reader(OLD)
    service.reader(KNOWN)
    with service.site.database.writing() as session:
        suppressions.add(session, service.site.keyring, NEVER, Reason.NEVER, now=service.clock())
    service.clock.advance(hours=1)


def test_the_answer_takes_the_same_work_for_every_inbox_and_a_worker_decides_about_the_letter(service):
    fresh_link, answers = fresh(service), []
    for address in (NEVER, KNOWN, UNKNOWN):
        with executed(service.site.database) as statements:
            answer = service.browser.post(fresh_link, data={"email": address})
        answers.append((answer.status_code, without(address, answer), tuple(statements)))
        with service.site.database.reading() as session:
            about = select(func.count()).select_from(Letter).where(Letter.address_change_id.is_not(None))
            assert session.scalar(about) == 0
    first, *others = answers
    assert first[0] == 200
    assert others == [first, first]


def test_of_several_changes_the_last_gets_a_letter_and_an_inbox_that_wants_no_mail_gets_none(service):
    for address in (UNKNOWN, KNOWN, NEVER):
        service.browser.post(fresh(service), data={"email": address})
    service.run(Queue.URGENT)
    assert not [each for each in service.letters() if "new address" in each["Subject"]]
    service.clock.advance(days=1)
    service.browser.post(fresh(service), data={"email": NEW})
    service.run(Queue.URGENT)
    service.run(Queue.URGENT)
    assert len(service.letters(to=NEW)) == 1


def test_a_former_inbox_asks_for_nothing_by_a_request_that_waits_while_its_reader_moves(service):
    if service.site.database.is_sqlite:  # it has one writer at a time
        return
    stolen = fresh(service)
    ask(service)
    service.clock.advance(minutes=5)
    with service.site.database.reading() as session:
        change = session.scalars(select(AddressChange)).one()
    with ThreadPoolExecutor(1) as pool:
        with service.site.database.writing() as session:
            address_confirmations.confirm(
                session,
                service.site.keyring,
                (change.id, change.nonce),
                trace=None,
                templates=service.site.templates,
                base_url=service.site.settings.base_url,
                now=service.clock(),
            )
            answer = pool.submit(service.browser.post, stolen, data={"email": UNKNOWN})
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            eventually(lambda: session.scalar(waiting))
        assert answer.result().status_code == 410
    with service.site.database.reading() as session:
        assert [each.address for each in session.scalars(select(AddressChange))] == [NEW]


@pytest.mark.parametrize("service", ["sqlite"], indirect=True)
def test_my_data_does_not_tell_whether_the_new_inbox_got_the_letter(service):
    def shown() -> str:
        return service.browser.get(fresh(service, page="").replace("/preferences/", "/my-data/")).text

    before = shown()
    for address in (NEVER, UNKNOWN):
        ask(service, address)
        assert shown() == before
