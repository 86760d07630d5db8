"""Check letters, issues and deliveries against each other: sums, states, claims and stored text."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, String, exists, func, literal, or_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from newsletter.consent.subscribers.moved_subscriptions import MovedSubscription
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor.checks.findings import Check, Finding, findings_of
from newsletter.mail.delivery import missed_readers
from newsletter.mail.delivery.deliveries import OPEN, Delivery, DeliveryStatus, Tally, has_status
from newsletter.mail.delivery.leases import Worker
from newsletter.mail.letters.letters import Letter, LetterKind, Variant
from newsletter.mail.letters.totals import TOTAL

BACKUP = "Compare with a backup: the database does not show which side is right."
HARMLESS = "No worker will claim this delivery. The row can stay as it is."


def sums(session: Session) -> Iterator[Finding]:
    """Find letters whose audience is not the number of their deliveries, tallies included."""
    rows = select(Delivery.letter_id, func.count().label("n")).group_by(Delivery.letter_id).subquery()
    tallies = select(Tally.letter_id, func.sum(Tally.n).label("n")).group_by(Tally.letter_id).subquery()
    row_count, tally_count = func.coalesce(rows.c.n, 0), func.coalesce(tallies.c.n, 0)
    wrong = (
        select(Letter.occasion, Letter.audience, row_count, tally_count)
        .outerjoin(rows, rows.c.letter_id == Letter.id)
        .outerjoin(tallies, tallies.c.letter_id == Letter.id)
        .where(Letter.audience != row_count + tally_count)
        .order_by(Letter.id)
    )
    return findings_of(session, wrong, _sum)


def _sum(occasion: str, audience: int, row_count: int, tally_count: int) -> Finding:
    says = f"its audience is {audience:,}, but its deliveries add up to {int(row_count + tally_count):,}"
    # If the rows alone are the audience, a tally can only count some of them again.
    return Finding(Check.SUMS, f"letter {occasion}", says, fixable=row_count == audience, remedy=BACKUP)


def issues(session: Session) -> Iterator[Finding]:
    """Find issues marked sent that have no letter, or a delivery that is not final."""
    written = exists().where(Letter.issue_id == Issue.id)
    owed = written.where(Delivery.letter_id == Letter.id, has_status(*OPEN))
    sent = select(Issue.id).where(Issue.status == IssueStatus.SENT).order_by(Issue.id)
    for condition, says in (
        (~written, "it is marked sent, but it has no letter"),
        (owed, "it is marked sent, but some of its deliveries are not final"),
    ):
        yield from findings_of(session, sent.where(condition), partial(_issue, says))


def _issue(says: str, number: int) -> Finding:
    return Finding(Check.ISSUES, f"issue {number}", says, remedy=BACKUP)


def moves(session: Session) -> Iterator[Finding]:
    """Find issues that a reader who moved got at neither address."""
    query = missed_readers.missed().with_only_columns(MovedSubscription.subscriber_id, Letter.issue_id)
    yield from findings_of(session, query, _missed)


def _missed(subscriber: int, issue: int) -> Finding:
    says = "they moved while an older release wrote the letters of the issue, and none has come to either address"
    remedy = "While the issue is being sent, a worker of this release sends it. Later, point them to the archive."
    return Finding(Check.MOVES, f"subscriber {subscriber}, issue {issue}", says, remedy=remedy)


def states(session: Session) -> Iterator[Finding]:
    """Find final deliveries without the time of their outcome, and open ones with such a time."""
    wrong = {
        "it is final, but the time of its outcome is missing": (~has_status(*OPEN), Delivery.decided_at.is_(None)),
        "it is not final, but has the time of an outcome": (
            has_status(*OPEN),
            Delivery.decided_at.is_not(None),
        ),
    }
    for says, conditions in wrong.items():
        yield from findings_of(session, _deliveries(*conditions), partial(_delivery, Check.STATES, says, HARMLESS))


def claims(session: Session) -> Iterator[Finding]:
    """Find claimed deliveries without a worker, or with one that the database does not know."""
    unowned = or_(Delivery.carrier_id.is_(None), ~exists().where(Worker.id == Delivery.carrier_id))
    claimed = _deliveries(has_status(DeliveryStatus.CLAIMED), unowned)
    make = partial(_delivery, Check.DEAD_CLAIMS, "it is claimed by no known worker", "")
    for each in findings_of(session, claimed, make):
        yield each._replace(fixable=True)


def variants(session: Session) -> Iterator[Finding]:
    """Find deliveries with the text of another letter, letters without text, and text that was changed.

    A delivery may name a text that the letters of its kind share; it belongs to their total.
    """
    own, text_of = aliased(Letter), aliased(Letter)
    foreign = Variant.letter_id != Delivery.letter_id, text_of.occasion != _total_of(own.kind)
    mixed = (
        _deliveries(*foreign)
        .join(Variant, Variant.id == Delivery.variant_id)
        .join(own, own.id == Delivery.letter_id)
        .join(text_of, text_of.id == Variant.letter_id)
    )
    yield from findings_of(
        session, mixed, partial(_delivery, Check.VARIANTS, "its text belongs to another letter", BACKUP)
    )
    own_text = exists().where(Variant.letter_id == Letter.id)
    text_of_total = exists().where(Delivery.letter_id == Letter.id, Variant.id == Delivery.variant_id)
    is_total = Letter.occasion == _total_of(Letter.kind)
    without_text = select(Letter.occasion).where(~own_text, ~text_of_total, ~is_total).order_by(Letter.id)
    yield from findings_of(session, without_text, _without_text)
    for variant in session.scalars(select(Variant).order_by(Variant.id).execution_options(yield_per=100)):
        if not variant.is_intact():
            says = "it was changed after it was stored: its hash does not match"
            yield Finding(Check.VARIANTS, f"variant {variant.id}", says, remedy="Restore its row from a backup.")
        session.expunge(variant)


def _total_of(kind: InstrumentedAttribute[LetterKind]) -> ColumnElement[str]:
    return literal(TOTAL).concat(type_coerce(kind, String))


def _without_text(occasion: str) -> Finding:
    return Finding(Check.VARIANTS, f"letter {occasion}", "it has no stored text", remedy=BACKUP)


def _deliveries(*conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(Delivery.id).where(*conditions).order_by(Delivery.id)


def _delivery(check: Check, says: str, remedy: str, number: int) -> Finding:
    return Finding(check, f"delivery {number}", says, remedy=remedy)
