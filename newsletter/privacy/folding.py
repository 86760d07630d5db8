"""Fold letters whose sign-up, change or person is gone, and old ones to operators, into one total per kind.

The sums hold, the rows go: a letter's rows are deleted, and in the same transaction its deliveries are added to the
tallies and to the audience of the total (`totals.total`). Evidence names a confirmation letter's text by its hash for
ever, so that text is kept as an exhibit first.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from newsletter.consent.wordings import exhibits
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.mail.delivery.deliveries import OPEN, WAITING, Delivery, DeliveryStatus, Tally, has_status, not_sent
from newsletter.mail.letters import totals
from newsletter.mail.letters.letters import IS_TEST, SIGNUP_IS_GONE, Letter, LetterKind, Variant, is_kind
from newsletter.mail.letters.totals import EXHIBIT
from newsletter.store.database import is_on_sqlite

BATCH_SIZE = 300  # letters in one transaction
TESTS_BATCH_SIZE = 50  # letters to operators in one transaction: each has a text of its own
TESTS_LIFETIME = timedelta(days=7)  # of letters to operators

# The kinds of letters whose own texts evidence names. A notice about a change of address holds the new address, and the
# text with the link to it was kept when that letter was owed.
PROVING = (LetterKind.CONFIRMATION,)

TallyCounts = Counter[tuple[int, DeliveryStatus]]  # deliveries by worker (0: none) and status


class OwnText(NamedTuple):
    """A variant that belongs to a letter."""

    id: int
    letter_id: int
    sha256: str


def fold_orphans(session: Session, *, now: datetime, limit: int = BATCH_SIZE) -> int:
    """Fold confirmation letters whose sign-up is gone; return how many, at most `limit`."""
    return fold(
        session,
        and_(SIGNUP_IS_GONE, Letter.occasion != totals.total_of(LetterKind.CONFIRMATION)),
        now=now,
        limit=limit,
    )


def fold_welcomes(session: Session, subscriber_ids: Collection[int], *, now: datetime) -> int:
    """Fold the welcome letters to people who are about to be deleted; return how many were folded.

    Until then they stay, as the letters of issues do: nobody gets an issue again that was in one.
    """
    theirs = exists().where(Delivery.letter_id == Letter.id, Delivery.subscriber_id.in_(subscriber_ids))
    return fold(session, theirs, now=now, kind=LetterKind.WELCOME)


def fold(
    session: Session,
    which: ColumnElement[bool],
    *,
    now: datetime,
    limit: int | None = None,
    kind: LetterKind = LetterKind.CONFIRMATION,
) -> int:
    """Fold those letters of a kind among these whose deliveries are final; return how many were folded.

    A delivery that waits is ended first: nobody may get the letter any more. A letter that a worker is sending now
    stays until `fold_orphans` finds it final. One whose sum is wrong and one whose text is lost stay too: doctor
    reports them.
    """
    audiences = _lock(session, kind, which, limit)
    if not audiences:
        return 0
    total = totals.total(session, kind, now=now)
    _end_waiting(session, audiences, now)
    counts = _counts(session, audiences)
    texts = _own_texts(session, audiences)
    kept = _keep_texts(session, texts) if kind in PROVING else {each.sha256 for each in texts}
    unfit = _named_elsewhere(session, texts) | {each.letter_id for each in texts if each.sha256 not in kept}
    final = [
        number
        for number, audience in audiences.items()
        if number not in unfit and counts[number].total() == audience and not any(s in OPEN for _, s in counts[number])
    ]
    if final:
        _delete(session, final)
        _add(session, total, sum((counts[number] for number in final), Counter()))
    return len(final)


def fold_tests(session: Session, *, now: datetime) -> int:
    """Fold letters to operators a week after they were written, if they are final; return how many, at most a batch.

    Their rows hold the operators' addresses. Their texts prove nothing and are deleted with them.
    """
    is_total = Letter.occasion == totals.total_of(LetterKind.TEST)
    is_open = exists().where(Delivery.letter_id == Letter.id, has_status(*OPEN))
    old = select(Letter.id, Letter.audience).where(IS_TEST, Letter.written_at < now - TESTS_LIFETIME)
    old = old.where(~is_total, ~is_open).order_by(Letter.written_at).limit(TESTS_BATCH_SIZE)
    audiences = {row.id: row.audience for row in session.execute(old.with_for_update(skip_locked=True))}
    if not audiences:
        return 0
    counts = _counts(session, audiences)
    final = [number for number, audience in audiences.items() if counts[number].total() == audience]
    if final:
        total = totals.total(session, LetterKind.TEST, now=now)
        _delete(session, final)
        _add(session, total, sum((counts[number] for number in final), Counter()))
    return len(final)


def _lock(session: Session, kind: LetterKind, which: ColumnElement[bool], limit: int | None) -> dict[int, int]:
    """Lock letters that no other worker folds now; return their audiences by id."""
    rows = select(Letter.id, Letter.audience).where(is_kind(kind), which).order_by(Letter.id)
    return {row.id: row.audience for row in session.execute(rows.limit(limit).with_for_update(skip_locked=True))}


def _end_waiting(session: Session, of: Collection[int], now: datetime) -> None:
    """End the deliveries that wait, unless a worker is claiming them now."""
    waiting = select(Delivery.id).where(Delivery.letter_id.in_(of), has_status(*WAITING))
    end = update(Delivery).where(Delivery.id.in_(waiting.with_for_update(skip_locked=True)), has_status(*WAITING))
    status = not_sent(DeliveryStatus.WITHHELD)
    session.execute(end.values(status=status, decided_at=now), execution_options={"synchronize_session": False})


def _counts(session: Session, of: Collection[int]) -> Mapping[int, TallyCounts]:
    """Return the deliveries of letters, tallies included, by letter."""
    worker = func.coalesce(Delivery.carrier_id, 0)
    rows = select(Delivery.letter_id, worker, Delivery.status, func.count()).where(Delivery.letter_id.in_(of))
    tallies = select(Tally.letter_id, Tally.carrier_id, Tally.status, Tally.n).where(Tally.letter_id.in_(of))
    grouped = rows.group_by(Delivery.letter_id, worker, Delivery.status)
    counts: defaultdict[int, TallyCounts] = defaultdict(Counter)
    for letter, carrier, status, number in [*session.execute(grouped), *session.execute(tallies)]:
        counts[letter][carrier, status] += number
    return counts


def _own_texts(session: Session, of: Collection[int]) -> list[OwnText]:
    rows = select(Variant.id, Variant.letter_id, Variant.sha256).where(Variant.letter_id.in_(of))
    return [OwnText._make(row) for row in session.execute(rows)]


def _named_elsewhere(session: Session, texts: Collection[OwnText]) -> set[int]:
    """Return the letters whose text a delivery of another letter names. No release writes such a delivery."""
    owners = {each.id: each.letter_id for each in texts}
    # The ids are literals for the planner: it would expect a join to find a match soon, and read the whole table.
    named = select(Delivery.variant_id, Delivery.letter_id).where(Delivery.variant_id.in_(owners))
    return {owners[variant] for variant, letter in session.execute(named) if letter != owners[variant]}


def _keep_texts(session: Session, texts: Collection[OwnText]) -> set[str]:
    """Keep each text as an exhibit, and return the hashes of those that are kept now; a changed copy keeps none."""
    wanted = {each.sha256 for each in texts}
    kept = set(session.scalars(select(Exhibit.sha256).where(Exhibit.sha256.in_(wanted))))
    if missing := wanted - kept:
        sources: dict[str, bytes] = {}
        owned = [each.id for each in texts if each.sha256 in missing]
        for variant in session.scalars(select(Variant).where(Variant.id.in_(owned))):
            if variant.sha256 not in sources and variant.is_intact():
                sources[variant.sha256] = variant.sheet.source
            session.expunge(variant)
        # In one order, as everywhere, so that two workers cannot wait for each other in a circle.
        kept |= {exhibits.keep(session, EXHIBIT, source) for _, source in sorted(sources.items())}
    return kept


def _delete(session: Session, which: Collection[int]) -> None:
    for row in (Delivery, Tally, Variant):
        session.execute(delete(row).where(row.letter_id.in_(which)))
    session.execute(delete(Letter).where(Letter.id.in_(which)))


def _add(session: Session, total: int, counts: TallyCounts) -> None:
    rows = [
        {"letter_id": total, "carrier_id": carrier, "status": status, "n": number}
        for (carrier, status), number in sorted(counts.items())
    ]
    if rows:
        dialect = sqlite if is_on_sqlite(session) else postgresql
        add = dialect.insert(Tally).values(rows)
        key = [Tally.letter_id, Tally.carrier_id, Tally.status]
        session.execute(add.on_conflict_do_update(index_elements=key, set_={"n": Tally.n + add.excluded.n}))
    # Last, so that workers that fold at the same time wait for each other only here.
    grown = update(Letter).where(Letter.id == total).values(audience=Letter.audience + counts.total())
    session.execute(grown, execution_options={"synchronize_session": False})
