"""A reader who moves while an issue is being sent gets it once, whatever the state of the letters to both addresses."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product, starmap
from typing import NamedTuple

import pytest
from sqlalchemy import select, text

from newsletter import addresses, templating
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import address_changes, reader_choices, subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.content.issues.issues import IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery import claims, results
from newsletter.mail.delivery.deliveries import OPEN, Delivery, DeliveryStatus
from newsletter.mail.letters.letters import Letter
from newsletter.mail.mailings import issue_letters, welcome_letters
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.privacy import address_confirmations
from tests.browser.pairwise import pairwise
from tests.builders import KEYRING, a_delivery, a_letter, a_newsletter, a_reader, a_worker, an_issue
from tests.clock import NOON
from tests.waiting import eventually

BASE = "https://letters.example.org"
LATER = NOON + timedelta(hours=1)
UNDER_WAY = {"taken": Outcome.TAKEN, "not begun": Outcome.UNTOUCHED}  # claimed before the move; its result comes after
FORMER = (*UNDER_WAY, "queued", "in_doubt", "sent", "failed", "withheld")
PRESENT = ("none", "queued", "sent", "failed", "withheld")
STATES = ("unknown", "reading", "paused", "left", "bounced")  # of the new address
SETTINGS = {"former": FORMER, "state": STATES, "present": PRESENT}


class Case(NamedTuple):
    """The former address's delivery, the state of the new address, and its own delivery of the issue."""

    former: str
    state: str
    present: str

    @property
    def copies(self) -> int:
        """How many letters of the issue arrive at either address, sooner or later."""
        has_left = self.former in ("sent", "taken")  # for the former address, before the move or with it
        own = self.present == "sent" or (self.present == "queued" and self.state == "reading")
        was_owed = self.former in ("queued", "in_doubt", "not begun")
        return has_left + own if has_left or own else int(was_owed)


def is_possible(case: Case) -> bool:
    return case.state != "unknown" or case.present == "none"


EVERY_CASE = list(filter(is_possible, starmap(Case, product(FORMER, STATES, PRESENT))))
SOME_CASES = [each for each in EVERY_CASE if each._asdict() in pairwise(SETTINGS)]


def a_change(session, reader: Subscriber, new: str) -> tuple[int, int]:
    wanted = addresses.parse(new)
    fold = inboxes.fold(KEYRING, inboxes.inbox(wanted.key).key)
    change = address_changes.ask(session, reader.id, reader.address_key or "", wanted, fold_key=fold, now=NOON)
    assert change
    return change.id, change.nonce


def confirm(session, ids: tuple[int, int]) -> None:
    address_confirmations.confirm(
        session, KEYRING, ids, trace=None, templates=templating.environment, base_url=BASE, now=LATER
    )


def deliver(session, written, reader, state: str, worker: int) -> Delivery:
    status = DeliveryStatus.CLAIMED if state in UNDER_WAY else DeliveryStatus(state)
    is_open = status in OPEN
    return a_delivery(
        session,
        written,
        reader,
        status=status,
        carrier_id=worker if status is DeliveryStatus.CLAIMED else None,
        doubts=int(status is DeliveryStatus.IN_DOUBT),
        attempt=1,
        first_tried_at=NOON,
        key_id="k1",
        decided_at=None if is_open else NOON,
    )


@pytest.mark.parametrize("cases", [SOME_CASES, pytest.param(EVERY_CASE, marks=pytest.mark.slow)], ids=["some", "every"])
def test_in_every_state_of_both_addresses_a_reader_who_moves_gets_the_issue_once(begin, cases):
    with begin() as session:
        newsletter, worker = a_newsletter(session), a_worker(session)
        written = a_letter(session, newsletter, issue=an_issue(session, newsletter), audience=0)
        made = []
        for number, case in enumerate(cases):
            reader, new = a_reader(session, newsletter, f"old{number}@example.org"), f"new{number}@example.org"
            other = None
            if case.state != "unknown":
                other = a_reader(
                    session, newsletter, new, standing=Standing.LEFT if case.state == "left" else Standing.SUBSCRIBED
                )
                other.suppressed = Reason.BOUNCED if case.state == "bounced" else None
                until = LATER + timedelta(weeks=1) if case.state == "paused" else None
                reader_choices.set_pause(session, other.id, newsletter.id, until)
            mine = deliver(session, written, reader, case.former, worker)
            rows = {mine.id}
            if case.present != "none":
                rows.add(deliver(session, written, other, case.present, worker).id)
            made.append((case, rows, mine.id, a_change(session, reader, new)))
        written[0].audience = sum(len(rows) for _, rows, _, _ in made)
    with begin() as session:
        for _, _, _, ids in made:
            confirm(session, ids)
    with begin() as session:
        under_way = [(mine, UNDER_WAY[case.former]) for case, _, mine, _ in made if case.former in UNDER_WAY]
        known = [Result(mine, 1, outcome, None, LATER) for mine, outcome in under_way]
        assert results.record(session, worker, known, now=LATER) == len(known)
        while claimed := claims.claim(session, worker, limit=500, urgent=False, key="k1", now=LATER):
            assert all(each.address.startswith("new") for each in claimed)
            taken = [Result(each.delivery, each.attempt, Outcome.TAKEN, None, LATER) for each in claimed]
            results.record(session, worker, taken, now=LATER)
    with begin() as session:
        status = dict(session.execute(select(Delivery.id, Delivery.status)).all())
        arrived = {case: sum(status[row] is DeliveryStatus.SENT for row in rows) for case, rows, _, _ in made}
        assert {case: n for case, n in arrived.items() if n != case.copies} == {}
        assert not examination.examine(session, keyring=KEYRING)


def two_addresses(begin):
    """Return an approved issue, the new address's subscriber, and a change that leads there from the former one."""
    with begin() as session:
        newsletter = a_newsletter(session)
        issue = an_issue(session, newsletter, status=IssueStatus.APPROVED)
        reader = a_reader(session, newsletter, "old@example.org")
        other = a_reader(session, newsletter, "new@example.org", standing=Standing.LEFT)
        return issue, other.id, a_change(session, reader, "new@example.org")


def sent_to(begin) -> list[int | None]:
    with begin() as session:
        issues_only = select(Delivery.subscriber_id).join(Letter, Letter.id == Delivery.letter_id)
        return list(session.scalars(issues_only.where(Letter.issue_id.is_not(None))))


def begin_issue(begin) -> None:
    issue_letters.send_approved(begin, templates=templating.environment, base_url=BASE, now=LATER)


@pytest.mark.parametrize("comes_first", ["the move", "the issue"])
def test_a_move_that_is_stored_while_the_deliveries_are_written_loses_no_issue(database, comes_first):
    if database.is_sqlite:  # it has one writer at a time
        return
    begin = database.writing
    issue, other, ids = two_addresses(begin)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as pool:
        with begin() as session:
            if comes_first == "the move":
                confirm(session, ids)
                second = pool.submit(begin_issue, begin)
            else:
                found = session.merge(issue)
                issue_letters.send(session, found, templates=templating.environment, base_url=BASE, now=LATER)
                second = pool.submit(lambda: _in_a_transaction(begin, ids))
            eventually(lambda: session.scalar(waiting))
        second.result()
    assert sent_to(begin) == [other]


def _in_a_transaction(begin, ids: tuple[int, int]) -> None:
    with begin() as session:
        confirm(session, ids)


def test_a_pause_at_one_of_two_addresses_ends_and_of_two_pauses_the_shorter_one_stays(begin):
    soon, late = LATER + timedelta(weeks=1), LATER + timedelta(weeks=2)
    for number, (former, present, expected) in enumerate(
        [(None, soon, None), (soon, None, None), (late, soon, soon), (soon, late, soon), (NOON, late, None)]
    ):
        with begin() as session:
            newsletter = a_newsletter(session, f"letter{number}")
            reader = a_reader(session, newsletter, f"old{number}@example.org")
            other = a_reader(session, newsletter, f"new{number}@example.org")
            reader_choices.set_pause(session, reader.id, newsletter.id, former)
            reader_choices.set_pause(session, other.id, newsletter.id, present)
            confirm(session, a_change(session, reader, f"new{number}@example.org"))
        with begin() as session:
            assert subscribers.subscriptions(session, other.id)[newsletter.id].paused_until == expected


@pytest.mark.parametrize(("standing", "copies"), [(Standing.LEFT, 1), (Standing.SUBSCRIBED, 0)])
def test_a_welcome_that_waits_comes_to_the_new_address_unless_it_has_read_the_newsletter(begin, standing, copies):
    with begin() as session:
        newsletter, worker = a_newsletter(session, sends_welcome=True), a_worker(session)
        reader = a_reader(session, newsletter, "old@example.org")
        a_reader(session, newsletter, "new@example.org", standing=standing)
        assert welcome_letters.owe(
            session, reader.id, [newsletter.id], templates=templating.environment, base_url=BASE, now=NOON
        )
        confirm(session, a_change(session, reader, "new@example.org"))
    with begin() as session:
        claimed = [claims.claim(session, worker, limit=9, urgent=True, key="k1", now=LATER) for _ in range(2)]
        assert [each.address for each in claimed[0]] == ["old@example.org"], "the notice"
        assert [each.address for each in claimed[1]] == ["new@example.org"] * copies
