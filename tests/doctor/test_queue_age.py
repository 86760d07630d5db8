"""The backlog: what is owed longest, and is not held back on purpose."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, true, update

from newsletter.consent.signups import VALID, Signup, SignupState
from newsletter.content.issues import Issue, IssueStatus
from newsletter.doctor import queue_age
from newsletter.doctor.queue_age import QueueAge
from newsletter.mail.delivery import claims
from newsletter.mail.delivery.deliveries import SUSPECT_DEATHS, Delivery, DeliveryStatus
from tests.builders import a_delivery, a_letter, a_newsletter, a_reader, a_signup, a_worker, an_issue, owed
from tests.clock import NOON
from tests.query_plans import fill, generic_plan, prepare_everything
from tests.servers.databases import opened

LATER = NOON + timedelta(hours=1)
NOTHING = QueueAge(None, None, None)


def seen(reading, now=LATER) -> QueueAge:
    with reading() as session:
        return queue_age.owed(session, now=now)


def test_where_nothing_is_owed_there_is_no_backlog(reading):
    assert seen(reading) == NOTHING
    assert NOTHING.oldest is None


def test_each_kind_waits_since_its_oldest_and_the_oldest_of_all_counts(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        asked = a_letter(session, newsletter, signup=a_signup(session, newsletter, state=SignupState.ASKED))
        issue = a_letter(session, newsletter, issue=an_issue(session, newsletter))
        for minutes in (5, 4, 6):
            at = NOON + timedelta(minutes=minutes)
            a_delivery(session, asked, a_reader(session, newsletter), due_at=at)
            a_delivery(session, issue, a_reader(session, newsletter), due_at=at + timedelta(minutes=10))
            a_signup(session, newsletter, received_at=NOON + timedelta(minutes=20))
    found = seen(reading)
    assert found == QueueAge(*(NOON + timedelta(minutes=minutes) for minutes in (20, 4, 14)))
    assert found.oldest == NOON + timedelta(minutes=4)


def test_what_is_not_due_yet_is_no_backlog(begin, reading):
    with begin() as session:
        owed(session, 1, due_at=LATER)
        a_signup(session, a_newsletter(session), received_at=LATER)
    assert seen(reading, now=LATER - timedelta(seconds=1)) == NOTHING
    assert seen(reading) == QueueAge(LATER, None, LATER)


@pytest.mark.parametrize("status", list(DeliveryStatus))
def test_letters_in_doubt_are_owed_and_those_in_a_carriers_hands_or_decided_are_not(begin, reading, status):
    with begin() as session:
        owed(session, 1, status=status, carrier_id=a_worker(session))
    assert seen(reading).bulk == (NOON if status in (DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT) else None)


@pytest.mark.parametrize("status", list(IssueStatus))
def test_what_is_due_is_what_a_carrier_would_take(begin, reading, status):
    with begin() as session:
        (delivery,) = owed(session, 1)
        session.execute(update(Issue).values(status=status))
    due = seen(reading).bulk is not None
    with begin() as session:
        claims.claim(session, a_worker(session), limit=1, urgent=False, key="k1", now=LATER)
        assert due == (session.get_one(Delivery, delivery.id).attempt == 1)


def test_a_letter_that_three_carriers_did_not_survive_is_owed_still(begin, reading):
    with begin() as session:
        owed(session, 1, deaths=SUSPECT_DEATHS)
    assert seen(reading).bulk == NOON


@pytest.mark.parametrize("state", list(SignupState))
def test_a_form_is_owed_a_letter_until_somebody_has_worked_on_it(begin, reading, state):
    with begin() as session:
        a_signup(session, a_newsletter(session), state=state)
    assert seen(reading).signup == (NOON if state is SignupState.RECEIVED else None)


def test_a_form_whose_link_has_expired_is_owed_nothing(begin, reading):
    with begin() as session:
        a_signup(session, a_newsletter(session))
    assert seen(reading, now=NOON + VALID - timedelta(seconds=1)).signup == NOON
    assert seen(reading, now=NOON + VALID) == NOTHING


def test_looking_walks_the_waiting_by_index_however_many_letters_there_were(postgresql_url):
    with closing(opened(postgresql_url)) as database, database.writing() as session:
        prepare_everything(session)
        newsletter = a_newsletter(session)
        answered = a_signup(session, newsletter, state=SignupState.QUIET)
        copied = [column for column in Signup.__table__.columns if column.name != "id"]
        copies = select(*copied).select_from(Signup.__table__.join(func.generate_series(1, 5000).alias(), true()))
        session.execute(insert(Signup).from_select(copied, copies.where(Signup.id == answered.id)))
        (delivery,) = owed(session, 1)
        fill(session, delivery, decided=20_000, waiting=2_000)
        a_signup(session, newsletter)
        assert queue_age.owed(session, now=LATER) == QueueAge(NOON, None, NOON)
        plan = generic_plan(session, "SELECT (SELECT signups%")
    assert plan.count("ix_deliveries_urgent") == 2
    assert plan.count("ix_deliveries_bulk") == 2
    assert "ix_signups_received" in plan
    assert "Seq Scan on deliveries" not in plan
    assert "Seq Scan on signups" not in plan


def test_a_letter_that_no_relay_would_hear_of_is_late_though_its_next_try_is_not_due(begin, reading):
    with begin() as session:
        owed(session, 1, due_at=LATER + timedelta(hours=1), deferrals=2)
        session.execute(update(Delivery).values(queued_at=NOON))
    assert seen(reading) == QueueAge(None, None, None, unheard=NOON)
    assert seen(reading).oldest == NOON


def test_a_letter_that_the_relay_put_off_in_its_own_words_is_not_late(begin, reading):
    with begin() as session:
        owed(session, 1, due_at=LATER + timedelta(hours=1), deferrals=2, reply_code=450)
    assert seen(reading) == NOTHING
