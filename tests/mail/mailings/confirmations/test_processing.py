"""Sign-ups are answered in sets; one that cannot be answered is set aside alone, and workers never collide for good."""

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from jinja2 import BaseLoader, TemplateNotFound
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from newsletter.consent.ledger.ledger import LedgerEntry
from newsletter.consent.limits.tickets import Ticket
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.letters.letters import Letter
from newsletter.store.database import Database
from tests.builders import a_newsletter, a_reader, a_signup
from tests.clock import NOON
from tests.confirming import TEMPLATES, confirmations_sent, count, letters_owed, parsed, process, states
from tests.servers.databases import failing_at_the_end
from tests.waiting import TIMEOUT


def test_at_most_the_limit_is_processed_oldest_first(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for _ in range(5):
            a_signup(session, newsletter)
    assert process(begin, limit=2) == 2
    assert states(begin) == [SignupState.ASKED] * 2 + [SignupState.RECEIVED] * 3
    assert process(begin, limit=200) == 3
    assert process(begin) == 0


@pytest.mark.parametrize("size", [1, 2, 13])
@pytest.mark.parametrize("poisoned", [0, 6, 12])
def test_in_a_set_that_fails_only_the_poisoned_sign_up_is_set_aside(begin, size, poisoned):
    with begin() as session:
        newsletter = a_newsletter(session)
        for number in range(size):
            a_signup(session, newsletter, **({"newsletters": "nonsense"} if number == poisoned else {}))
    process(begin)
    expected = [SignupState.FAILED if number == poisoned else SignupState.ASKED for number in range(size)]
    assert states(begin) == expected
    assert letters_owed(begin) == expected.count(SignupState.ASKED)


def test_a_sign_up_that_fails_twice_is_marked_failed_and_blocks_no_other(begin, caplog):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter, "poison@example.org", newsletters="nonsense")
        a_signup(session, newsletter, "next@example.org")
    process(begin)
    assert states(begin) == [SignupState.FAILED, SignupState.ASKED]
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    assert "a sign-up cannot be processed" in caplog.text
    assert caplog.records[0].signup == 1
    assert "@" not in caplog.text
    assert process(begin) == 0


class FailingLoader(BaseLoader):
    """Fails the given number of times to find a template."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def get_source(self, environment, template):
        if self.failures:
            self.failures -= 1
            raise TemplateNotFound(template)
        return TEMPLATES("en").loader.get_source(environment, template)


def test_a_sign_up_that_fails_once_is_retried(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session))
    failing = TEMPLATES("en").overlay(cache_size=0, loader=FailingLoader(1))
    process(begin, templates=lambda _: failing)
    assert states(begin) == [SignupState.ASKED]
    assert letters_owed(begin) == count(begin, LedgerEntry) == 1, "the failed attempt leaves nothing behind"


def test_an_unavailable_database_does_not_fail_the_sign_up(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_signup(session, newsletter)

    with pytest.raises(OperationalError):
        process(failing_at_the_end(begin, times=2))
    assert states(begin) == [SignupState.RECEIVED]
    assert count(begin, Letter) == count(begin, LedgerEntry) == 0
    process(begin)
    assert states(begin) == [SignupState.ASKED]


def test_a_slow_clock_leaves_later_sign_ups_for_later(begin):
    with begin() as session:
        a_signup(session, a_newsletter(session), received_at=NOON + timedelta(seconds=1))
    assert process(begin, now=NOON) == 0


def process_concurrently(postgresql_database: Database, workers: int) -> int:
    start = threading.Barrier(workers)

    def work(_: int) -> int:
        start.wait(TIMEOUT)
        return process(postgresql_database.writing)

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(work, range(workers)))


def test_concurrent_workers_process_each_sign_up_once(postgresql_database):
    with postgresql_database.writing() as session:
        newsletter = a_newsletter(session)
        for _ in range(50):
            a_signup(session, newsletter)
    assert process_concurrently(postgresql_database, 3) == 50
    assert states(postgresql_database.writing) == [SignupState.ASKED] * 50
    letters = confirmations_sent(postgresql_database.writing)
    assert len({parsed(letter)["To"] for letter in letters}) == len(letters) == 50
    with postgresql_database.reading() as session:
        assert examination.examine(session) == []


def test_workers_that_meet_in_the_same_inboxes_lose_no_sign_up_and_write_no_letter_twice(postgresql_database):
    """New and known people, in another order in each set, so that every worker wants what another one holds."""
    names = [f"{number:02}@example.org" for number in range(20)]
    with postgresql_database.writing() as session:
        newsletters = [a_newsletter(session, f"letter{number}") for number in range(4)]
        for name in names[::2]:
            a_reader(session, newsletters[0], name, standing=Standing.LEFT)
        for number, newsletter in enumerate(newsletters * 3):
            for name in names if number % 2 else reversed(names):
                a_signup(session, newsletter, name)
    start = threading.Barrier(4)

    def work(_: int) -> None:
        start.wait(TIMEOUT)
        while process(postgresql_database.writing, limit=17):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert Counter(states(postgresql_database.writing)) == {SignupState.ASKED: 3 * 20, SignupState.QUIET: 9 * 20}
    with postgresql_database.reading() as session:
        asked = session.execute(select(Signup.address_key, Signup.newsletters).where(Signup.state == SignupState.ASKED))
        assert len({(address, *numbers) for address, numbers in asked}) == 3 * 20
        assert session.scalar(select(func.count()).select_from(Ticket)) == 3 * 20
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 20
        assert session.scalar(select(func.count()).select_from(Delivery)) == 3 * 20
        assert examination.examine(session) == []


def test_concurrent_workers_write_three_letters_per_inbox(postgresql_database):
    with postgresql_database.writing() as session:
        newsletters = [a_newsletter(session, slug) for slug in ("one", "two", "three")]
        for number in range(30):
            spelling = ["ana@example.org", "ANA@example.org", "ana+x@example.org"][number // 3 % 3]
            a_signup(session, newsletters[number % 3], spelling)
    process_concurrently(postgresql_database, 3)
    assert sorted(states(postgresql_database.writing)) == [SignupState.ASKED] * 3 + [SignupState.QUIET] * 27
    assert len(confirmations_sent(postgresql_database.writing)) == 3
    with postgresql_database.reading() as session:
        assert examination.examine(session) == []


def test_a_sign_up_locked_by_another_worker_is_skipped(postgresql_database):
    with postgresql_database.writing() as session:
        newsletter = a_newsletter(session)
        first = a_signup(session, newsletter)
        a_signup(session, newsletter)
    with postgresql_database.writing() as elsewhere:
        elsewhere.execute(update(Signup).where(Signup.id == first.id).values(nonce=1))
        assert process(postgresql_database.writing) == 1
    assert states(postgresql_database.writing) == [SignupState.RECEIVED, SignupState.ASKED]


def test_a_worker_retries_after_a_deadlock(begin):
    """PostgreSQL aborts one of two transactions that wait for each other."""
    with begin() as session:
        a_signup(session, a_newsletter(session), "ana@example.org")
    process(failing_at_the_end(begin, times=3, cause=psycopg.errors.DeadlockDetected()))
    assert states(begin) == [SignupState.ASKED]
    assert letters_owed(begin) == 1
