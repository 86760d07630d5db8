"""The total of a kind of letters: one letter that holds the texts they share, and the sums of deleted ones."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.consent.wordings import exhibits
from newsletter.mail.letters.letters import Letter, LetterKind, Priority, Variant, written_kind
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter
from newsletter.store.database import insert_once

TOTAL = "total:"  # the occasion of a letter that stands for many, before their kind
EXHIBIT = "letter"  # the kind of the exhibits that are texts of letters
DESIGN_CHARACTERS = 24  # of a hash in the column `design`


def total_of(kind: LetterKind) -> str:
    """Return the occasion of the total of a kind."""
    return f"{TOTAL}{written_kind(kind)}"


def total(session: Session, kind: LetterKind, *, now: datetime) -> int:
    """Return the id of the letter that holds what all letters of a kind share; create it if there is none.

    It holds one variant for each text, and the tallies of deliveries that were deleted.
    """
    occasion = total_of(kind)
    known = select(Letter.id).where(Letter.occasion == occasion)
    if (found := session.scalar(known)) is None:
        values = {
            "kind": written_kind(kind),
            "occasion": occasion,
            "priority": Priority.URGENT,
            "audience": 0,
            "written_at": now,
        }
        oldest = session.scalars(select(func.min(Newsletter.id))).one()  # the release before needs one
        insert_once(session, Letter, newsletter_id=oldest, **values)
        found = session.scalars(known).one()
    return found


def shared_variants(
    session: Session,
    kind: LetterKind,
    sheets: Iterable[tuple[Sheet, str]],
    *,
    now: datetime,
    is_evidence: bool = True,
) -> dict[tuple[str, str], int]:
    """Return the ids of variants with these sheets and languages by hash and language; store the ones that are new.

    They belong to the total of the kind. Evidence names a text by its hash for ever, so it is also kept as an exhibit
    if it `is_evidence`.
    """
    needed = {(sheet.sha256, language): sheet for sheet, language in sheets}
    found = _shared(session, kind, needed)
    missing = sorted(needed.keys() - found.keys())
    if not missing:
        return found
    letter_id = total(session, kind, now=now)
    for sha256, language in missing:
        sheet = needed[sha256, language]
        if is_evidence:
            exhibits.keep(session, EXHIBIT, sheet.source)
        columns = {"sha256": sha256, "body": sheet.body, "cuts": [list(cut) for cut in sheet.cuts]}
        design = sha256[:DESIGN_CHARACTERS]
        insert_once(session, Variant, letter_id=letter_id, language=language, design=design, **columns)
    return _shared(session, kind, needed)


def _shared(session: Session, kind: LetterKind, needed: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    designs = {sha256[:DESIGN_CHARACTERS] for sha256, _ in needed}
    stored = (
        select(Variant.sha256, Variant.language, Variant.id)
        .join(Letter, Letter.id == Variant.letter_id)
        .where(Letter.occasion == total_of(kind), Variant.design.in_(designs))
    )
    return {(row[0], row[1]): row[2] for row in session.execute(stored) if (row[0], row[1]) in needed}
