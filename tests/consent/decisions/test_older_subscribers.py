"""Older subscribers get the fold of their inbox, in batches, and what their inbox has said since counts for them."""

from sqlalchemy import func, select, text

from newsletter.consent.decisions import older_subscribers
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.keys import Keyring
from tests.builders import KEYRING, a_crowd, a_newsletter, a_reader
from tests.clock import NOON
from tests.query_plans import rows_read
from tests.waiting import eventually


def test_subscribers_without_a_fold_get_theirs_in_batches(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_crowd(session, newsletter, 12)
        a_reader(session, newsletter, "Ana+x@Example.org")
    done = []
    while not done or done[-1]:
        with begin() as session:
            done.append(older_subscribers.fold(session, KEYRING, now=NOON, limit=5))
    assert done == [5, 5, 3, 0]
    with begin() as session:
        ana = subscribers.lock_by_key(session, "ana+x@example.org")
        assert ana.fold_key == inboxes.fold(KEYRING, "ana@example.org")
        assert session.scalar(select(func.count()).where(Subscriber.fold_key.is_(None))) == 0


def test_whose_inbox_has_said_never_at_another_spelling_is_suppressed_and_withdrawn(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        tagged, eve = a_reader(session, newsletter, "ana+x@example.org"), a_reader(session, newsletter)
        suppressions.add(session, KEYRING, "ana@example.org", Reason.NEVER, now=NOON)
        assert tagged.suppressed is None
        older_subscribers.fold(session, KEYRING, now=NOON)
        session.expire_all()
        assert (tagged.suppressed, eve.suppressed) == (Reason.NEVER, None)
        assert [entry.event for entry in ledger.history(session, tagged.subject)][-2:] == [
            Event.WITHDRAWN,
            Event.REFUSED,
        ]
        assert subscribers.subscriptions(session, tagged.id)[newsletter.id].standing is Standing.LEFT
        assert subscribers.subscriptions(session, eve.id)[newsletter.id].standing is Standing.SUBSCRIBED


def test_two_workers_at_once_fold_different_subscribers(postgresql_database):
    with postgresql_database.writing() as session:
        a_crowd(session, a_newsletter(session), 8)
    with postgresql_database.writing() as one, postgresql_database.writing() as other:
        assert older_subscribers.fold(one, KEYRING, now=NOON, limit=5) == 5
        assert older_subscribers.fold(other, KEYRING, now=NOON, limit=5) == 3


def test_folds_of_a_key_that_is_gone_are_made_anew(begin):
    kept, gone = ("k2", "n" * 40), ("k_1", "o" * 40)
    with begin() as session:
        newsletter = a_newsletter(session)
        old, new = a_reader(session, newsletter), a_reader(session, newsletter)
        old.fold_key = inboxes.folds(Keyring([gone]), old.address_key)[0]
        new.fold_key = inboxes.folds(Keyring([kept]), new.address_key)[0]
        session.flush()
        older_subscribers.forget_keys(session, Keyring([kept]))
        assert older_subscribers.fold(session, Keyring([kept]), now=NOON) == 1
        session.expire_all()
        assert {old.fold_key[:3], new.fold_key[:3]} == {"k2:"}


def test_finding_older_subscribers_and_spellings_reads_no_others(postgresql_database):
    with postgresql_database.writing() as session:
        a_crowd(session, a_newsletter(session), 3000)
        older_subscribers.fold(session, KEYRING, now=NOON, limit=3000)
    with postgresql_database.writing() as session:
        session.execute(text("ANALYZE"))
        a_reader(session, a_newsletter(session, "evening"), "ana@example.org")
    with postgresql_database.writing() as session:
        assert older_subscribers.fold(session, KEYRING, now=NOON) == 1
    folds = inboxes.folds(KEYRING, "ana@example.org")

    def read() -> int:
        with postgresql_database.writing() as session:
            before = rows_read(session)
            assert older_subscribers.fold(session, KEYRING, now=NOON) == 0
            assert len(subscribers.lock_inbox(session, "ana+x@example.org", folds)) == 1
            return rows_read(session) - before

    # The first look passes what the rows before left in the index, and so does each until no transaction needs that.
    eventually(lambda: read() < 50)
