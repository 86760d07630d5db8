"""The ledger: ordered entries whose hashes can be verified from the rows alone."""

import hashlib
import hmac
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, Evidence, HashedColumns, LedgerEntry, Trace, TraceRow
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.consent.wordings.wordings import Wording
from newsletter.doctor import examination
from newsletter.store.database import Begin
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON

EVIDENCE = {"address": "zoë@müller.example", "how": "a “button”", "form": "f" * 64}


def two_facts(session: Session) -> Subscriber:
    newsletter = a_newsletter(session)
    wording = session.scalars(select(Wording)).one()
    reader = Subscriber(address="zoë@müller.example", address_key="zoë@xn--mller-kva.example", created_at=NOON)
    session.add(reader)
    session.flush()
    for event, now in ((Event.REQUESTED, NOON), (Event.CONFIRMED, NOON + timedelta(microseconds=1))):
        ledger.append(
            session,
            reader.subject,
            event,
            newsletter=newsletter,
            wording=wording,
            evidence=EVIDENCE,
            trace=Trace("2001:db8::1", "Test/1.0"),
            now=now,
        )
    return reader


def is_whole(session: Session, entry: LedgerEntry) -> bool:
    """Verify an entry as a verifier does who has only the rows."""
    evidence = session.get(Evidence, entry.id)
    digest = hmac.digest(evidence.salt, evidence.body, "sha256") if evidence else entry.evidence_digest
    return ledger.leaf(entry) == entry.leaf and digest == entry.evidence_digest


def test_a_subjects_facts_are_numbered_from_one_without_gaps(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        ana, eve = (a_reader(session, newsletter, standing=standing) for standing in (Standing.LEFT, Standing.ASKED))
        assert [entry.ordinal for entry in ledger.history(session, ana.subject)] == [1, 2, 3]
        assert [entry.ordinal for entry in ledger.history(session, eve.subject)] == [1]


def test_every_hash_can_be_recomputed_from_the_stored_rows(begin, reading):
    with begin() as session:
        two_facts(session)
    with reading() as session:
        entries = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)).all()
        assert [entry.at for entry in entries] == [NOON, NOON + timedelta(microseconds=1)]
        assert all(is_whole(session, entry) for entry in entries)
        stored = session.scalars(select(Evidence)).all()
        assert [json.loads(evidence.body) for evidence in stored] == [EVIDENCE, EVIDENCE]
        assert len({evidence.salt for evidence in stored}) == 2
        assert len({entry.evidence_digest for entry in entries}) == 2, "equal evidence has different digests"


CHANGES = {
    "subject": b"x" * 16,
    "ordinal": 7,
    "event": Event.WITHDRAWN,
    "newsletter_id": None,
    "wording_id": None,
    "at": NOON + timedelta(microseconds=2),
    "evidence_digest": b"x" * 32,
    "leaf": b"x" * 32,
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_that_bypassed_the_trigger_is_detected(database, begin, reading, column):
    with begin() as session:
        two_facts(session)
        on = "" if database.is_sqlite else " ON ledger"
        session.execute(text(f"DROP TRIGGER ledger_refuses_update{on}"))
        session.execute(update(LedgerEntry).where(LedgerEntry.ordinal == 2).values({column: CHANGES[column]}))
    with reading() as session:
        assert [
            is_whole(session, entry) for entry in session.scalars(select(LedgerEntry).order_by(LedgerEntry.id))
        ] == [
            True,
            False,
        ]
        assert "ledger entry" in str(examination.examine(session))


@pytest.mark.parametrize("change", [{"body": b"{}"}, {"salt": b"x" * 32}])
def test_changed_evidence_is_detected_and_erased_evidence_is_no_change(begin, reading, change):
    with begin() as session:
        two_facts(session)
        first, second = session.scalars(select(LedgerEntry.id).order_by(LedgerEntry.id)).all()
        session.execute(update(Evidence).where(Evidence.entry_id == first).values(change))
        session.delete(session.get_one(Evidence, second))
    with reading() as session:
        assert [
            is_whole(session, entry) for entry in session.scalars(select(LedgerEntry).order_by(LedgerEntry.id))
        ] == [
            False,
            True,
        ]


def test_a_trace_is_stored_apart_from_the_evidence_and_expires_after_30_days(begin, reading):
    with begin() as session:
        two_facts(session)
    with reading() as session:
        traces = session.scalars(select(TraceRow).order_by(TraceRow.entry_id)).all()
        assert [(trace.ip, trace.user_agent) for trace in traces] == [("2001:db8::1", "Test/1.0")] * 2
        assert traces[0].expires_at == NOON + timedelta(days=30)
        assert not any(b"2001:db8" in evidence.body for evidence in session.scalars(select(Evidence)))


def test_concurrent_appends_leave_no_gap_and_no_duplicate(begin, reading):
    with begin() as session:
        reader = a_reader(session, newsletter := a_newsletter(session), standing=Standing.ASKED)

    def append(_: int) -> None:
        with begin() as session:
            ledger.append(
                session, reader.subject, Event.WITHDRAWN, newsletter=newsletter, evidence={}, trace=None, now=NOON
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(24)))
    with reading() as session:
        assert [entry.ordinal for entry in ledger.history(session, reader.subject)] == list(range(1, 26))


def facts_of(begin: Begin, subject: bytes) -> int:
    with begin() as session:
        return len(ledger.history(session, subject))


def test_an_entry_is_stored_whole_or_not_at_all(begin):
    with begin() as session:
        reader = two_facts(session)

    def append_and_fail() -> None:
        with begin() as session:
            ledger.append(session, reader.subject, Event.WITHDRAWN, evidence={}, trace=None, now=NOON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        append_and_fail()
    assert facts_of(begin, reader.subject) == 2


evidence_dicts = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=5)


@given(evidence_dicts)
def test_canonical_evidence_reads_back_and_does_not_depend_on_order(content):
    written = ledger.canonical(content)
    assert json.loads(written) == content
    assert ledger.canonical(dict(reversed(content.items()))) == written


@given(evidence_dicts, evidence_dicts)
def test_different_evidence_has_different_canonical_bytes(one, other):
    assume(one != other)
    assert ledger.canonical(one) != ledger.canonical(other)


numbers = st.integers(1, 10**12)
entries = st.builds(
    HashedColumns,
    subject=st.binary(max_size=20),
    ordinal=numbers,
    event=st.sampled_from(Event),
    newsletter_id=st.none() | numbers,
    wording_id=st.none() | numbers,
    at=st.datetimes(timezones=st.just(UTC)),
    evidence_digest=st.binary(max_size=40),
)


def test_the_hashed_formats_never_change():
    """A verifier written today must still be able to verify an exported proof in thirty years."""
    assert ledger.canonical({"name": "Zoë", "address": 'a"b@ü.example'}) == (
        b'{"address":"a\\"b@\xc3\xbc.example","name":"Zo\xc3\xab"}'
    )
    entry = HashedColumns(b"s" * 16, 2, Event.CONFIRMED, 12, None, NOON, b"d" * 32)
    columns = [b"s" * 16, b"2", b"confirmed", b"12", b"", b"2026-03-14T12:00:00.000000+00:00", b"d" * 32]
    framed = b"".join(struct.pack(">I", len(column)) + column for column in columns)
    assert ledger.leaf(entry) == hashlib.sha256(b"\x00" + framed).digest()
    assert ledger.leaf(entry).hex() == "11495d3676e99b8f5faca152ea7b48ce862a203b7f812573e94c864e172eb4d0"


@given(entries, entries)
def test_different_entries_have_different_leaf_hashes(one, other):
    assume(one != other)
    assert ledger.leaf(one) != ledger.leaf(other)


def test_bytes_moved_between_columns_change_the_leaf_hash():
    common = {"ordinal": 1, "event": Event.REQUESTED, "at": NOON, "evidence_digest": b""}
    cases = [(b"1", 1, 12), (b"1", 11, 2), (b"1", 112, None), (b"1", None, 112), (b"", 1112, None)]
    made = [HashedColumns(subject=s, newsletter_id=n, wording_id=w, **common) for s, n, w in cases]
    assert len({ledger.leaf(entry) for entry in made}) == len(made)


@given(entries, st.timezones())
def test_the_leaf_hash_does_not_depend_on_the_time_zone(entry, zone):
    assume(entry.at.year not in (1, 9999))
    assert ledger.leaf(entry._replace(at=entry.at.astimezone(zone))) == ledger.leaf(entry)


def expected_standing(history: list[Event]) -> Standing | None:
    """A second implementation of `ledger.standing`."""
    deciding = [event for event in history if event is not Event.REFUSED]
    standings = {Event.REQUESTED: Standing.ASKED, Event.CONFIRMED: Standing.SUBSCRIBED, Event.WITHDRAWN: Standing.LEFT}
    if deciding and deciding[-1] is Event.LAPSED:
        return Standing.LEFT if Event.CONFIRMED in deciding else None
    return standings[deciding[-1]] if deciding else None


@given(st.lists(st.sampled_from(Event), max_size=12))
def test_the_last_deciding_event_decides_the_standing(history):
    assert ledger.standing(history) == expected_standing(history)
    assert ledger.standing(iter(history)) == expected_standing(history)
