"""Whatever two people, workers and operators do about one reader at the same moment, everybody gets an answer.

The ledger is whole afterwards, and what is stored follows from it. SQLite has one writer at a time.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations_with_replacement
from pathlib import Path
from threading import Barrier, Lock

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from newsletter import newsletters, templating
from newsletter.consent.decisions import older_subscribers, operator_decisions
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.address_changes import AddressChange
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.links import Purpose, minute_of
from newsletter.mail.mailings import issue_letters
from newsletter.privacy import retention
from newsletter.queues.wakeups import Queue
from newsletter.store import conflicts
from tests.builders import a_reader, an_issue
from tests.waiting import eventually
from tests.whole_service import WholeService, whole_service

pytestmark = pytest.mark.postgresql

SLUGS = "morning", "evening"
MANY_ROUNDS = 4
LOCK_SECONDS = 8  # less than PostgreSQL waits for a lock before a visitor is told to come back
LATER = timedelta(hours=80)  # links of sign-ups have expired, and those that nobody confirmed are due


@dataclass(frozen=True)
class Reader:
    """Somebody who reads one newsletter, was asked about another one and is about to move, with their links."""

    service: WholeService
    address: str
    new: str
    id: int
    morning: int
    signup: tuple[int, int]
    signup_there: tuple[int, int] | None  # of the new address, if that has a subscriber
    change: tuple[int, int]
    worker: Lock  # a worker runs the jobs of a queue once at a time

    def post(self, path: str, purpose: Purpose, *ids: int, end: str = "", **fields: str) -> int:
        token = self.service.site.links.token(purpose, *ids)
        return self.service.browser.post(f"/{path}/{token}{end}", data=fields).status_code

    def fresh(self, end: str = "", **fields: str) -> int:
        return self.post(
            "preferences", Purpose.FRESH_PREFERENCES, self.id, minute_of(self.service.clock()), end=end, **fields
        )

    def store(self, act: Callable[[Session], object]) -> int:
        """Do what a job or a command does, as their edges do it."""

        def in_a_transaction() -> None:
            with self.service.site.database.writing() as session:
                act(session)

        conflicts.repeat(in_a_transaction)
        return 200

    def run(self) -> int:
        with self.worker:
            self.service.run()
        return 200


def sign_up(reader: Reader) -> int:
    reader.service.sign_up(reader.address, "evening")
    return reader.run()


def confirm_there(reader: Reader) -> int:
    return reader.post("confirm", Purpose.CONFIRM, *reader.signup_there, confirm="yes") if reader.signup_there else 200


def withdraw(reader: Reader) -> int:
    now = reader.service.clock()
    return reader.store(
        lambda session: (
            operator_decisions.withdraw(session, reader.address, how="told", actor="tests", now=now)
            if subscribers.by_key(session, reader.address)  # else they have moved
            else None
        )
    )


def expire(reader: Reader) -> int:
    now = reader.service.clock() + LATER
    return reader.store(lambda session: retention.forget_due(session, now=now))


def fold(reader: Reader) -> int:
    now = reader.service.clock()
    return reader.store(lambda session: older_subscribers.fold(session, reader.service.site.keyring, now=now))


ACTS: dict[str, Callable[[Reader], int]] = {
    "sign up": sign_up,
    "confirm": lambda one: one.post("confirm", Purpose.CONFIRM, *one.signup, confirm="yes"),
    "confirm at the new address": confirm_there,
    "never": lambda one: one.post("never", Purpose.NEVER, *one.signup, never="yes"),
    "leave": lambda one: one.post("u", Purpose.UNSUBSCRIBE, one.id, one.morning, unsubscribe="yes"),
    "one click": lambda one: one.post(
        "u", Purpose.UNSUBSCRIBE, one.id, one.morning, **{"List-Unsubscribe": "One-Click"}
    ),
    "pause": lambda one: one.post("preferences", Purpose.PREFERENCES, one.id, one.morning, pause="2"),
    "mail a link": lambda one: one.post("preferences", Purpose.PREFERENCES, one.id, one.morning, link="yes"),
    "stop all": lambda one: one.fresh(all="yes"),
    "ask to move": lambda one: one.fresh("/address", email=f"third.{one.address}"),
    "move": lambda one: one.post("address", Purpose.CHANGE_ADDRESS, *one.change, confirm="yes"),
    "never at the new address": lambda one: one.post("address", Purpose.CHANGE_ADDRESS, *one.change, never="yes"),
    "ask for data": lambda one: one.service.browser.post("/my-data", data={"email": one.address}).status_code,
    "work": Reader.run,
    "withdraw for them": withdraw,
    "expire": expire,
    "fold": fold,
}
ANSWERS = {200, 202, 303, 410, 422}  # 410: the other act has ended the link


@pytest.fixture
def service(postgresql_url: str, tmp_path: Path) -> Iterator[WholeService]:
    with whole_service(postgresql_url, tmp_path) as service:
        for slug in SLUGS:
            service.newsletter(slug, sends_welcome=True)
        yield service


def readers(service: WholeService, number: int) -> list[Reader]:
    """Return readers whose new addresses are unknown, have a subscriber, or sort before the present ones, in turns."""
    worker = Lock()
    names = [(f"{'mz'[n % 2]}{n}@old.example", f"n{n}@new.example") for n in range(number)]
    with service.site.database.writing() as session:
        morning, evening = (newsletters.named(session, slug) for slug in SLUGS)
        for n, (old, new) in enumerate(names):
            a_reader(session, morning, old)
            if n % 3:
                a_reader(session, evening, new)
        an_issue(session, morning, status=IssueStatus.APPROVED, run_at=service.clock())
    for n, (old, new) in enumerate(names):
        assert service.sign_up(old, "evening").status_code == 202
        assert not n % 3 or service.sign_up(new, "morning").status_code == 202
        with service.site.database.reading() as session:
            found = session.scalars(select(subscribers.Subscriber).where(subscribers.Subscriber.address == old)).one()
        fresh = service.site.links.token(Purpose.FRESH_PREFERENCES, found.id, minute_of(service.clock()))
        assert service.browser.post(f"/preferences/{fresh}/address", data={"email": new}).status_code == 200
    service.run(Queue.URGENT)
    with service.site.database.reading() as session:
        ids = dict(session.execute(select(subscribers.Subscriber.address, subscribers.Subscriber.id)).all())
        signups = {each.address: (each.id, each.nonce) for each in session.scalars(select(Signup))}
        changes = {each.address: (each.id, each.nonce) for each in session.scalars(select(AddressChange))}
    return [
        Reader(service, old, new, ids[old], morning.id, signups[old], signups.get(new), changes[new], worker)
        for old, new in names
    ]


def at_once(reader: Reader, acts: tuple[str, ...]) -> dict[str, int]:
    """Do these acts at the same moment; return their answers that nobody should get."""
    together = Barrier(len(acts))

    def act(name: str) -> int:
        together.wait(30)
        return ACTS[name](reader)

    with ThreadPoolExecutor(len(acts)) as pool:
        done = [(name, pool.submit(act, name)) for name in acts]
        return {name: status for name, each in done if (status := each.result()) not in ANSWERS}


def findings(service: WholeService) -> list[str]:
    with service.site.database.reading() as session:
        return [f"{each.about}: {each.says}" for each in examination.examine(session, keyring=service.site.keyring)]


def test_all_that_can_be_done_about_a_reader_is_answered_when_it_is_done_at_once(service):
    for reader in readers(service, 4):
        assert at_once(reader, tuple(ACTS)) == {}
    service.run()
    assert findings(service) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", ACTS)
def test_every_two_acts_are_answered_when_they_are_done_at_once(service, first):
    pairs = [pair for pair in combinations_with_replacement(ACTS, 2) if pair[0] == first]
    everybody = iter(readers(service, len(pairs) * MANY_ROUNDS))
    for pair in pairs:
        for _ in range(MANY_ROUNDS):
            assert (pair, at_once(next(everybody), pair)) == (pair, {})
    service.run()
    assert findings(service) == []


def waits(service: WholeService, number: int) -> None:
    """Wait until so many transactions wait for another one."""
    with service.site.database.reading() as session:
        waiting = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        eventually(lambda: session.scalar(waiting) == number)


def test_a_sign_up_that_is_answered_and_confirmed_while_its_reader_moves_keeps_neither_waiting(service):
    (reader,) = readers(service, 1)

    def set_state(state: SignupState) -> None:
        with service.site.database.writing() as session:
            session.get_one(Signup, reader.signup[0]).state = state

    set_state(SignupState.RECEIVED)
    with ThreadPoolExecutor(2) as pool, service.site.database.writing() as session:
        session.execute(text("SET LOCAL deadlock_timeout = '60s'"))
        subscribers.lock_by_id(session, reader.id)
        moving = pool.submit(ACTS["move"], reader)
        waits(service, 1)
        set_state(SignupState.ASKED)
        confirming = pool.submit(ACTS["confirm"], reader)
        waits(service, 2)
        session.commit()
        assert (confirming.result(), moving.result()) == (200, 200)
    assert findings(service) == []


def test_a_reader_moves_at_once_while_the_deliveries_of_a_large_issue_are_written(service):
    (reader,) = readers(service, 1)
    with ThreadPoolExecutor(1) as pool, service.site.database.writing() as session:
        issue = session.scalars(select(Issue)).one()
        issue_letters.send(
            session, issue, templates=templating.environment, base_url="http://localhost", now=service.clock()
        )
        session.flush()
        assert pool.submit(ACTS["move"], reader).result(LOCK_SECONDS) == 200
    service.run()
    assert {str(each["To"]) for each in service.letters() if each["Subject"] == issue.title} == {reader.new}
    assert findings(service) == []
