"""Letters, issues and deliveries against each other: the sums, the states, the words."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from newsletter.content.issues import Issue, IssueStatus
from newsletter.doctor.checks.findings import Check, Finding, listed
from newsletter.mail.delivery.deliveries import OPEN, Delivery, DeliveryStatus, Tally, has_status
from newsletter.mail.delivery.leases import Worker
from newsletter.mail.letters.letters import Letter, Variant

BACKUP = "Compare with a backup: nothing here can tell which of them is right."
LATER = "No worker claims this delivery again; the row may stay as it is."


def sums(session: Session) -> Iterator[Finding]:
    """For each letter: audience = its deliveries in all states, those folded into tallies included."""
    rows = select(Delivery.letter_id, func.count().label("n")).group_by(Delivery.letter_id).subquery()
    tallies = select(Tally.letter_id, func.sum(Tally.n).label("n")).group_by(Tally.letter_id).subquery()
    here, folded = func.coalesce(rows.c.n, 0), func.coalesce(tallies.c.n, 0)
    wrong = (
        select(Letter.occasion, Letter.audience, here, folded)
        .outerjoin(rows, rows.c.letter_id == Letter.id)
        .outerjoin(tallies, tallies.c.letter_id == Letter.id)
        .where(Letter.audience != here + folded)
        .order_by(Letter.id)
    )
    return listed(session, wrong, _sum)


def _sum(occasion: str, audience: int, here: int, folded: int) -> Finding:
    says = f"its audience was {audience}, but {int(here + folded)} deliveries are accounted for"
    # With every row there, a tally can only count some of them a second time.
    return Finding(Check.SUMS, f"letter {occasion}", says, fixable=here == audience, remedy=BACKUP)


def issues(session: Session) -> Iterator[Finding]:
    """An issue that is called sent had a letter, and owes nobody anything."""
    mine = exists().where(Letter.issue_id == Issue.id)
    owed = mine.where(Delivery.letter_id == Letter.id, has_status(*OPEN))
    sent = select(Issue.id).where(Issue.status == IssueStatus.SENT).order_by(Issue.id)
    for condition, says in (
        (~mine, "it is called sent, but has no letter"),
        (owed, "it is called sent, but some of its deliveries are not decided"),
    ):
        yield from listed(session, sent.where(condition), partial(_issue, says))


def _issue(says: str, number: int) -> Finding:
    return Finding(Check.ISSUES, f"issue {number}", says, remedy=BACKUP)


def states(session: Session) -> Iterator[Finding]:
    """A decided delivery says when it was, and only such a one."""
    wrong = {
        "it is decided, but not when": (~has_status(*OPEN), Delivery.decided_at.is_(None)),
        "it is not decided, but says when it was": (has_status(*OPEN), Delivery.decided_at.is_not(None)),
    }
    for says, conditions in wrong.items():
        yield from listed(session, _deliveries(*conditions), partial(_delivery, Check.STATES, says, LATER))


def claims(session: Session) -> Iterator[Finding]:
    """A claimed delivery says by whom, and that carrier was there once."""
    nobody = or_(Delivery.carrier_id.is_(None), ~exists().where(Worker.id == Delivery.carrier_id))
    nobodys = _deliveries(has_status(DeliveryStatus.CLAIMED), nobody)
    for each in listed(session, nobodys, partial(_delivery, Check.DEAD_CLAIMS, "it is claimed, but by nobody", "")):
        yield each._replace(fixable=True)


def variants(session: Session) -> Iterator[Finding]:
    """Nobody is owed the words of another letter, nor words that were changed since they were stored."""
    mixed = _deliveries(Variant.letter_id != Delivery.letter_id).join(Variant, Variant.id == Delivery.variant_id)
    yield from listed(
        session, mixed, partial(_delivery, Check.VARIANTS, "its words are those of another letter", BACKUP)
    )
    wordless = select(Letter.occasion).where(~exists().where(Variant.letter_id == Letter.id)).order_by(Letter.id)
    yield from listed(session, wordless, _wordless)
    for variant in session.scalars(select(Variant).order_by(Variant.id).execution_options(yield_per=100)):
        if not variant.is_intact():
            says = "it was changed after it was written: its hash does not fit"
            yield Finding(Check.VARIANTS, f"variant {variant.id}", says, remedy="Put its row back from a backup.")
        session.expunge(variant)


def _wordless(occasion: str) -> Finding:
    return Finding(Check.VARIANTS, f"letter {occasion}", "it has no words stored", remedy=BACKUP)


def _deliveries(*conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(Delivery.id).where(*conditions).order_by(Delivery.id)


def _delivery(check: Check, says: str, remedy: str, number: int) -> Finding:
    return Finding(check, f"delivery {number}", says, remedy=remedy)
