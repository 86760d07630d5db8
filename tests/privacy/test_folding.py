"""The letters of deleted sign-ups are folded into one total, in batches: the rows go and the sums hold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count, cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.doctor import counts, examination
from newsletter.doctor.checks.findings import Check
from newsletter.mail.delivery.deliveries import DELIVERIES, Delivery, DeliveryStatus, Tally, status_counts
from newsletter.mail.letters import totals
from newsletter.mail.letters.letters import Letter, LetterKind, Priority, Variant
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter
from newsletter.privacy import folding
from newsletter.store.database import Base, Begin, Database
from tests.builders import (
    a_delivery,
    a_letter,
    a_newsletter,
    a_reader,
    a_sheet,
    a_signup,
    a_worker,
    an_issue,
)
from tests.clock import NOON
from tests.query_plans import blocks_read, fill, generic_plan, prepare_everything
from tests.servers.databases import opened
from tests.statements import executed

FINAL = (DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.WITHHELD, DeliveryStatus.UNKNOWN)
TEXTS = [a_sheet(Subject=f"Please confirm: The {name} Letter") for name in ("Morning", "Noon", "Evening")]
NUMBERS = count(1)


def old_letters(
    session: Session, statuses: Sequence[DeliveryStatus], *, texts: Sequence[Sheet] = TEXTS, workers: Sequence[int] = ()
) -> list[int]:
    """Add confirmation letters as the release before wrote them, each with its own text, of deleted sign-ups."""
    newsletter = session.scalar(select(Newsletter.id).limit(1)) or a_newsletter(session).id
    row = {"kind": LetterKind.CONFIRMATION, "newsletter_id": newsletter, "priority": Priority.URGENT, "audience": 1}
    rows = [{**row, "occasion": f"signup:{next(NUMBERS)}", "written_at": NOON} for _ in statuses]
    added = list(session.scalars(insert(Letter).returning(Letter.id, sort_by_parameter_order=True), rows))
    owned = [
        {"letter_id": letter, "language": "en", "design": "standard", "sha256": sheet.sha256, "body": sheet.body}
        | {"cuts": [list(cut) for cut in sheet.cuts]}
        for letter, sheet in zip(added, cycle(texts), strict=False)
    ]
    variants = session.scalars(insert(Variant).returning(Variant.id, sort_by_parameter_order=True), owned)
    delivery = {"priority": 0, "due_at": NOON, "queued_at": NOON, "attempt": 1, "deferrals": 0, "doubts": 0}
    session.execute(
        insert(DELIVERIES),
        [
            {**delivery, "letter_id": letter, "variant_id": variant, "status": status, "deaths": 0}
            | {"decided_at": NOON if status in FINAL else None, "carrier_id": worker}
            for letter, variant, status, worker in zip(added, variants, statuses, cycle([*workers, None]), strict=False)
        ],
    )
    return added


def rows(session: Session, row: type[Base]) -> int:
    return session.scalar(select(func.count()).select_from(row)) or 0


def fold_all(begin: Begin, limit: int = folding.BATCH_SIZE) -> list[int]:
    """Fold until nothing is left; return the number of letters of each batch."""
    batches = []
    while not batches or batches[-1]:
        with begin() as session:
            batches.append(folding.fold_orphans(session, now=NOON, limit=limit))
    return batches


def confirmations(session: Session) -> dict[DeliveryStatus, int]:
    """Return the counts of confirmations as the metrics show them."""
    states = counts.count(session, now=NOON).letters.states
    return {status: n for (kind, status), n in states.items() if kind is LetterKind.CONFIRMATION and n}


@pytest.mark.slow
def test_five_thousand_old_letters_become_one_total_in_batches_of_few_statements(database):
    statuses = [status for status, _ in zip(cycle(FINAL), range(5000), strict=False)]
    with database.writing() as session:
        worker = a_worker(session)
        old_letters(session, statuses, workers=[worker])
    with database.reading() as session:
        before = confirmations(session)
        assert examination.examine(session) == []
    used = []
    while not used or used[-1][0]:
        with executed(database) as statements, database.writing() as session:
            used.append((folding.fold_orphans(session, now=NOON), len(statements)))
    assert [folded for folded, _ in used] == [300] * 16 + [200, 0]
    first, *others = [number for _, number in used]
    assert first <= 26, "the first batch also keeps the texts and creates the total"
    assert max(others) <= 18
    with database.reading() as session:
        assert examination.examine(session) == []
        assert confirmations(session) == before == dict.fromkeys(FINAL, 1250)
        total = session.scalars(select(Letter)).one()
        assert total.audience == 5000
        assert (rows(session, Delivery), rows(session, Variant)) == (0, 0)
        assert {each.carrier_id for each in session.scalars(select(Tally))} == {0, worker}
        kept = session.execute(select(Exhibit.sha256, Exhibit.body).where(Exhibit.kind == "letter")).all()
        assert dict(kept) == {sheet.sha256: sheet.source for sheet in TEXTS}


@settings(max_examples=8)
@given(
    statuses=st.lists(st.sampled_from([*FINAL, DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT]), max_size=12),
    limit=st.integers(1, 5),
)
def test_however_letters_are_batched_the_total_is_their_sum(begin, reading, statuses, limit):
    with begin() as session:
        for row in (Delivery, Variant, Tally, Letter):
            session.execute(delete(row))
        old_letters(session, statuses) if statuses else None
    fold_all(begin, limit)
    withheld = {DeliveryStatus.QUEUED: DeliveryStatus.WITHHELD, DeliveryStatus.IN_DOUBT: DeliveryStatus.WITHHELD}
    ended = [withheld.get(status, status) for status in statuses]
    with reading() as session:
        assert confirmations(session) == {status: ended.count(status) for status in ended}
        assert rows(session, Letter) == bool(statuses)
        assert examination.examine(session) == []


@pytest.mark.parametrize(
    ("doubts", "deaths", "ends"),
    [(0, 0, DeliveryStatus.WITHHELD), (1, 0, DeliveryStatus.UNKNOWN), (0, 1, DeliveryStatus.UNKNOWN)],
)
def test_a_letter_that_waits_is_ended_as_not_sent_unless_it_may_have_arrived(begin, reading, doubts, deaths, ends):
    with begin() as session:
        old_letters(session, [DeliveryStatus.IN_DOUBT if doubts else DeliveryStatus.QUEUED])
        session.execute(update(Delivery).values(doubts=doubts, deaths=deaths))
    assert fold_all(begin) == [1, 0]
    with reading() as session:
        assert confirmations(session) == {ends: 1}


def test_a_letter_that_a_worker_is_sending_is_folded_once_it_is_final(begin, reading):
    with begin() as session:
        worker = a_worker(session)
        old_letters(session, [DeliveryStatus.CLAIMED], workers=[worker])
    assert fold_all(begin) == [0]
    with reading() as session:
        assert rows(session, Delivery) == 1
        assert examination.examine(session) == []
    with begin() as session:
        session.execute(update(Delivery).values(status=DeliveryStatus.SENT, decided_at=NOON))
    assert fold_all(begin) == [1, 0]
    with reading() as session:
        assert session.scalars(select(Tally.carrier_id)).all() == [worker]


def test_letters_of_present_sign_ups_issues_and_tests_stay(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        written = [
            a_letter(session, newsletter, signup=a_signup(session, newsletter, state=SignupState.ASKED)),
            a_letter(session, newsletter, issue=an_issue(session, newsletter)),
            a_letter(session, newsletter),
        ]
        reader = a_reader(session, newsletter)
        for each in written:
            a_delivery(session, each, reader, status=DeliveryStatus.SENT, decided_at=NOON)
    assert fold_all(begin) == [0]
    with reading() as session:
        assert (rows(session, Letter), rows(session, Delivery)) == (3, 3)


def test_a_letter_goes_and_the_text_that_it_shares_stays(begin, reading):
    with begin() as session:
        (old,) = old_letters(session, [DeliveryStatus.SENT])
        shared = totals.shared_variants(session, LetterKind.CONFIRMATION, [(TEXTS[0], "en")], now=NOON)
        session.execute(update(Delivery).values(variant_id=next(iter(shared.values()))))
        session.execute(delete(Variant).where(Variant.letter_id == old))
    with reading() as session:
        assert examination.examine(session) == []
    assert fold_all(begin) == [1, 0]
    with reading() as session:
        assert session.scalars(select(Variant.id)).all() == list(shared.values())
        assert examination.examine(session) == []


def test_a_text_that_another_letters_delivery_names_stays_with_its_letter(begin, reading):
    with begin() as session:
        first, second = old_letters(session, [DeliveryStatus.SENT] * 2)
        text_of_first = select(Variant.id).where(Variant.letter_id == first).scalar_subquery()
        session.execute(update(Delivery).where(Delivery.letter_id == second).values(variant_id=text_of_first))
    with begin() as session:
        assert folding.fold(session, Letter.id == first, now=NOON) == 0
        assert folding.fold(session, Letter.id == second, now=NOON) == 1
        assert folding.fold(session, Letter.id == first, now=NOON) == 1
    with reading() as session:
        assert confirmations(session) == {DeliveryStatus.SENT: 2}


def test_a_letter_whose_text_is_lost_or_whose_sum_is_wrong_stays_for_doctor(begin, reading):
    with begin() as session:
        damaged, uncounted, _ = old_letters(session, [DeliveryStatus.SENT] * 3)
        session.execute(update(Variant).where(Variant.letter_id == damaged).values(body=b"changed"))
        session.execute(update(Letter).where(Letter.id == uncounted).values(audience=2))
    before = doctors_findings(reading)
    assert {each.check for each in before} == {Check.VARIANTS, Check.SUMS}
    assert fold_all(begin) == [1, 0]
    assert doctors_findings(reading) == before


def test_a_changed_copy_of_a_kept_text_goes_with_its_letter(begin, reading):
    with begin() as session:
        damaged, _ = old_letters(session, [DeliveryStatus.SENT] * 2, texts=TEXTS[:1])
        session.execute(update(Variant).where(Variant.letter_id == damaged).values(body=b"changed"))
    assert fold_all(begin) == [2, 0]
    with reading() as session:
        assert session.scalars(select(Exhibit.body).where(Exhibit.kind == "letter")).all() == [TEXTS[0].source]
    assert doctors_findings(reading) == []


def doctors_findings(reading: Begin):
    with reading() as session:
        return examination.examine(session)


def test_tallies_of_a_letter_are_added_to_the_total(begin, reading):
    with begin() as session:
        (letter,) = old_letters(session, [DeliveryStatus.SENT])
        session.execute(delete(Delivery))
        session.execute(insert(Tally).values(letter_id=letter, carrier_id=0, status=DeliveryStatus.SENT, n=1))
    assert fold_all(begin) == [1, 0]
    with reading() as session:
        total = session.scalars(select(Letter)).one()
        assert status_counts(session, total.id)[DeliveryStatus.SENT] == total.audience == 1


def test_workers_that_fold_at_the_same_time_count_each_letter_once(database: Database):
    with database.writing() as session:
        old_letters(session, [DeliveryStatus.SENT] * 60)

    def fold(_: int) -> int:
        with database.writing() as session:
            return folding.fold_orphans(session, now=NOON, limit=20)

    with ThreadPoolExecutor(3) as pool:
        folded = sum(pool.map(fold, range(12)))
    with database.reading() as session:
        assert folded == 60
        assert confirmations(session) == {DeliveryStatus.SENT: 60}
        assert examination.examine(session) == []


@pytest.mark.slow
def test_folding_reads_a_few_rows_of_many(postgresql_url):
    with closing(opened(postgresql_url)) as database, database.writing() as session:
        old_letters(session, [DeliveryStatus.SENT] * 5)
        newsletter = a_newsletter(session, "evening")
        for _ in range(30):
            issue = a_letter(session, newsletter, issue=an_issue(session, newsletter))
            fill(session, a_delivery(session, issue, None), decided=2000, waiting=0)
        copies = text(
            "INSERT INTO letters (kind, occasion, newsletter_id, issue_id, priority, audience, written_at) "
            "SELECT kind, n, newsletter_id, issue_id, priority, audience, written_at "
            "FROM letters, generate_series(1, 5000) AS n WHERE id = :id"
        )
        session.execute(copies, {"id": issue[0].id})
        session.execute(text("ANALYZE letters"))
    with database.writing() as session:
        prepare_everything(session)
        before = blocks_read(session)
        assert folding.fold_orphans(session, now=NOON) == 5
        assert blocks_read(session) - before < 200
        plan = generic_plan(session, "SELECT letters.id, letters.audience%")
    assert "ix_letters_signup_is_gone" in plan


def test_a_sign_up_that_is_gone_leaves_no_letter_behind(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        signup = a_signup(session, newsletter, state=SignupState.ASKED)
        written = a_letter(session, newsletter, signup=signup)
        a_delivery(session, written, None, status=DeliveryStatus.SENT, decided_at=NOON)
        session.execute(delete(Signup))
    assert fold_all(begin) == [1, 0]
    with reading() as session:
        assert confirmations(session) == {DeliveryStatus.SENT: 1}
