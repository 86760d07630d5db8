"""The queue's age counts the oldest letter of each kind that is due and not held back on purpose."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, true, update

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.content.issues.issues import Issue, IssueStatus
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


def measured(reading, now=LATER) -> QueueAge:
    with reading() as session:
        return queue_age.measure(session, now=now)


def test_an_empty_queue_has_no_age(reading):
    assert measured(reading) == NOTHING
    assert NOTHING.oldest is None


def test_the_oldest_of_each_kind_and_of_all_is_measured(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        asked = a_letter(session, newsletter, signup=a_signup(session, newsletter, state=SignupState.ASKED))
        issue = a_letter(session, newsletter, issue=an_issue(session, newsletter))
        for minutes in (5, 4, 6):
            at = NOON + timedelta(minutes=minutes)
            a_delivery(session, asked, a_reader(session, newsletter), due_at=at)
            a_delivery(session, issue, a_reader(session, newsletter), due_at=at + timedelta(minutes=10))
            a_signup(session, newsletter, received_at=NOON + timedelta(minutes=20))
    found = measured(reading)
    assert found == QueueAge(*(NOON + timedelta(minutes=minutes) for minutes in (20, 4, 14)))
    assert found.oldest == NOON + timedelta(minutes=4)


def test_letters_and_sign_ups_that_are_not_due_do_not_count(begin, reading):
    with begin() as session:
        owed(session, 1, due_at=LATER)
        a_signup(session, a_newsletter(session), received_at=LATER)
    assert measured(reading, now=LATER - timedelta(seconds=1)) == NOTHING
    assert measured(reading) == QueueAge(LATER, None, LATER)


@pytest.mark.parametrize("status", list(DeliveryStatus))
def test_only_queued_letters_and_letters_in_doubt_count(begin, reading, status):
    with begin() as session:
        owed(session, 1, status=status, carrier_id=a_worker(session))
    assert measured(reading).bulk == (NOON if status in (DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT) else None)


@pytest.mark.parametrize("status", list(IssueStatus))
def test_the_letters_that_count_are_those_that_a_worker_would_claim(begin, reading, status):
    with begin() as session:
        (delivery,) = owed(session, 1)
        session.execute(update(Issue).values(status=status))
    due = measured(reading).bulk is not None
    with begin() as session:
        claims.claim(session, a_worker(session), limit=1, urgent=False, key="k1", now=LATER)
        assert due == (session.get_one(Delivery, delivery.id).attempt == 1)


def test_a_suspect_letter_counts(begin, reading):
    with begin() as session:
        owed(session, 1, deaths=SUSPECT_DEATHS)
    assert measured(reading).bulk == NOON


@pytest.mark.parametrize("state", list(SignupState))
def test_only_a_received_sign_up_counts(begin, reading, state):
    with begin() as session:
        a_signup(session, a_newsletter(session), state=state)
    assert measured(reading).signup == (NOON if state is SignupState.RECEIVED else None)


def test_an_expired_sign_up_does_not_count(begin, reading):
    with begin() as session:
        a_signup(session, a_newsletter(session))
    assert measured(reading, now=NOON + LINK_LIFETIME - timedelta(seconds=1)).signup == NOON
    assert measured(reading, now=NOON + LINK_LIFETIME) == NOTHING


def test_measuring_reads_waiting_rows_by_index(postgresql_url):
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
        assert queue_age.measure(session, now=LATER) == QueueAge(NOON, None, NOON)
        plan = generic_plan(session, "SELECT (SELECT signups%")
    assert plan.count("ix_deliveries_urgent") == 2
    assert plan.count("ix_deliveries_bulk") == 2
    assert "ix_signups_received" in plan
    assert "Seq Scan on deliveries" not in plan
    assert "Seq Scan on signups" not in plan


def test_a_letter_deferred_without_a_reply_counts_before_its_next_attempt(begin, reading):
    with begin() as session:
        owed(session, 1, due_at=LATER + timedelta(hours=1), deferrals=2)
        session.execute(update(Delivery).values(queued_at=NOON))
    assert measured(reading) == QueueAge(None, None, None, without_reply=NOON)
    assert measured(reading).oldest == NOON


def test_a_letter_deferred_by_a_reply_does_not_count_before_its_next_attempt(begin, reading):
    with begin() as session:
        owed(session, 1, due_at=LATER + timedelta(hours=1), deferrals=2, reply_code=450)
    assert measured(reading) == NOTHING
