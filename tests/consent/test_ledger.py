"""The ledger: facts that add up, in order, whole, and readable by whoever has the rows."""

import hashlib
import hmac
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from newsletter.consent import ledger
from newsletter.consent.ledger import Event, Evidence, LedgerEntry, Trace, TraceRow
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.consent.wordings import Wording
from newsletter.doctor import examination
from newsletter.store.database import Begin
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON

SAID = {"address": "zoë@müller.example", "how": "a “button”", "form": "f" * 64}


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
            evidence=SAID,
            trace=Trace("2001:db8::1", "Test/1.0"),
            now=now,
        )
    return reader


def is_whole(session: Session, entry: LedgerEntry) -> bool:
    """What a verifier does with nothing but the rows."""
    evidence = session.get(Evidence, entry.id)
    digest = hmac.digest(evidence.salt, evidence.body, "sha256") if evidence else entry.evidence_digest
    return ledger.leaf(entry) == entry.leaf and digest == entry.evidence_digest


def test_a_subjects_facts_are_numbered_from_one_without_gaps(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        ana, eve = (a_reader(session, newsletter, standing=standing) for standing in (Standing.LEFT, Standing.ASKED))
        assert [entry.ordinal for entry in ledger.history(session, ana.subject)] == [1, 2, 3]
        assert [entry.ordinal for entry in ledger.history(session, eve.subject)] == [1]


def test_a_verifier_recomputes_every_hash_from_the_stored_rows(begin, reading):
    with begin() as session:
        two_facts(session)
    with reading() as session:
        entries = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)).all()
        assert [entry.at for entry in entries] == [NOON, NOON + timedelta(microseconds=1)]
        assert all(is_whole(session, entry) for entry in entries)
        assert [json.loads(kept.body) for kept in session.scalars(select(Evidence))] == [SAID, SAID]
        salts = {kept.salt for kept in session.scalars(select(Evidence))}
        assert len(salts) == 2
        assert len({entry.evidence_digest for entry in entries}) == 2, "the same words do not show as the same"


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
def test_a_changed_fact_is_found_even_where_somebody_got_past_the_trigger(database, begin, reading, column):
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
def test_changed_evidence_is_found_and_erased_evidence_is_no_change(begin, reading, change):
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


def test_where_a_request_came_from_is_kept_apart_and_for_a_month(begin, reading):
    with begin() as session:
        two_facts(session)
    with reading() as session:
        traces = session.scalars(select(TraceRow).order_by(TraceRow.entry_id)).all()
        assert [(trace.ip, trace.user_agent) for trace in traces] == [("2001:db8::1", "Test/1.0")] * 2
        assert traces[0].expires_at == NOON + timedelta(days=30)
        assert not any(b"2001:db8" in kept.body for kept in session.scalars(select(Evidence)))


def test_two_who_append_at_once_leave_no_gap_and_no_double(begin, reading):
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


def test_a_fact_is_kept_with_all_of_it_or_not_at_all(begin):
    with begin() as session:
        reader = two_facts(session)

    def half() -> None:
        with begin() as session:
            ledger.append(session, reader.subject, Event.WITHDRAWN, evidence={}, trace=None, now=NOON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert facts_of(begin, reader.subject) == 2


said = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=5)


@given(said)
def test_evidence_reads_back_and_its_order_does_not_matter(content):
    written = ledger.canonical(content)
    assert json.loads(written) == content
    assert ledger.canonical(dict(reversed(content.items()))) == written


@given(said, said)
def test_other_evidence_is_other_bytes(one, other):
    assume(one != other)
    assert ledger.canonical(one) != ledger.canonical(other)


@dataclass
class Fact:
    """An entry that no database has seen."""

    subject: bytes
    ordinal: int
    event: Event
    newsletter_id: int | None
    wording_id: int | None
    at: datetime
    evidence_digest: bytes


numbers = st.integers(1, 10**12)
facts = st.builds(
    Fact,
    subject=st.binary(max_size=20),
    ordinal=numbers,
    event=st.sampled_from(Event),
    newsletter_id=st.none() | numbers,
    wording_id=st.none() | numbers,
    at=st.datetimes(timezones=st.just(UTC)),
    evidence_digest=st.binary(max_size=40),
)


def test_the_formats_are_those_that_an_exported_proof_was_hashed_with():
    """These bytes never change: a verifier that was written today has to read a proof in thirty years."""
    assert ledger.canonical({"name": "Zoë", "address": 'a"b@ü.example'}) == (
        b'{"address":"a\\"b@\xc3\xbc.example","name":"Zo\xc3\xab"}'
    )
    fact = Fact(b"s" * 16, 2, Event.CONFIRMED, 12, None, NOON, b"d" * 32)
    columns = [b"s" * 16, b"2", b"confirmed", b"12", b"", b"2026-03-14T12:00:00.000000+00:00", b"d" * 32]
    framed = b"".join(struct.pack(">I", len(column)) + column for column in columns)
    assert ledger.leaf(fact) == hashlib.sha256(b"\x00" + framed).digest()
    assert ledger.leaf(fact).hex() == "11495d3676e99b8f5faca152ea7b48ce862a203b7f812573e94c864e172eb4d0"


@given(facts, facts)
def test_two_different_facts_never_have_one_leaf(one, other):
    assume(one != other)
    assert ledger.leaf(one) != ledger.leaf(other)


def test_no_column_runs_into_the_next():
    common = {"ordinal": 1, "event": Event.REQUESTED, "at": NOON, "evidence_digest": b""}
    cases = [(b"1", 1, 12), (b"1", 11, 2), (b"1", 112, None), (b"1", None, 112), (b"", 1112, None)]
    made = [Fact(subject=s, newsletter_id=n, wording_id=w, **common) for s, n, w in cases]
    assert len({ledger.leaf(fact) for fact in made}) == len(made)


@given(facts, st.timezones())
def test_the_same_instant_in_another_zone_is_the_same_leaf(fact, zone):
    assume(fact.at.year not in (1, 9999))
    before = ledger.leaf(fact)
    fact.at = fact.at.astimezone(zone)
    assert ledger.leaf(fact) == before


def naive(history: list[Event]) -> Standing | None:
    """What the last word about a newsletter means, read off a table."""
    words = [event for event in history if event is not Event.REFUSED]
    meaning = {Event.REQUESTED: Standing.ASKED, Event.CONFIRMED: Standing.SUBSCRIBED, Event.WITHDRAWN: Standing.LEFT}
    if words and words[-1] is Event.LAPSED:
        return Standing.LEFT if Event.CONFIRMED in words else None
    return meaning[words[-1]] if words else None


@given(st.lists(st.sampled_from(Event), max_size=12))
def test_the_standing_is_what_the_last_word_means(history):
    assert ledger.standing(history) == naive(history)
    assert ledger.standing(iter(history)) == naive(history)
