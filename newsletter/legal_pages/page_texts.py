"""Texts of a publisher's own for the pages that the law asks for: privacy notice, imprint, accessibility statement."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import newsletters
from newsletter.errors import Malformed, NotFound
from newsletter.languages import tags
from newsletter.newsletters import Newsletter
from newsletter.plain_text import CONTROLS
from newsletter.store.database import Base

MAX_CHARACTERS = 20_000  # of a text; the page of one stays under 60 kB
CHANGED = "page text changed"


class LegalPage(StrEnum):
    """A page that is generated from settings, and can be edited."""

    PRIVACY = "privacy"
    IMPRINT = "imprint"
    ACCESSIBILITY = "accessibility"


class PageText(Base):
    """A newsletter's own text of a page in a language. Without a row the page is generated."""

    __tablename__ = "page_texts"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    page: Mapped[LegalPage] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(tags.MAX_CHARACTERS), primary_key=True)
    text: Mapped[str]
    changed_at: Mapped[datetime]


def own(session: Session, newsletter_id: int, page: LegalPage) -> dict[str, str]:
    """Return a newsletter's own texts of a page by language, the oldest first; empty if the page is generated."""
    texts = select(PageText).where(PageText.newsletter_id == newsletter_id, PageText.page == page)
    rows = session.scalars(texts.order_by(PageText.changed_at, PageText.language))
    return {row.language: row.text for row in rows}


def change(
    session: Session,
    newsletter: Newsletter,
    page: LegalPage,
    language: str,
    text: str,
    *,
    actor: str,
    now: datetime,
) -> None:
    """Show a newsletter's own text on a page in a language from now on. Raises Malformed, naming the field.

    While a page has texts of its own, it is shown in their languages alone: a generated one could contradict them.
    """
    tag, cleaned = newsletter.spelling(language), as_stored(text)
    stored = session.get(PageText, (newsletter.id, page, tag))
    if stored is None:
        session.add(PageText(newsletter_id=newsletter.id, page=page, language=tag, text=cleaned, changed_at=now))
    elif stored.text == cleaned:
        return
    else:
        stored.text, stored.changed_at = cleaned, now
    _record(session, newsletter, page, tag, actor=actor, now=now, characters=len(cleaned))


def reset(
    session: Session, newsletter: Newsletter, page: LegalPage, language: str, *, actor: str, now: datetime
) -> None:
    """Remove a newsletter's own text of a page in a language. Without any, the page is generated again.

    Raises NotFound if there is none, and Malformed if the language is none.
    """
    tag = newsletter.spelling(language)
    stored = session.get(PageText, (newsletter.id, page, tag))
    if stored is None:
        raise NotFound(f"“{newsletter.slug}” has no text of its own for the page “{page}” in “{tag}”.")
    session.delete(stored)
    _record(session, newsletter, page, tag, actor=actor, now=now, characters=0)


def as_stored(text: str) -> str:
    """Return a text as it is stored. Raises Malformed, naming "text"."""
    cleaned = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not cleaned:
        raise Malformed("text", "Enter the text of the page. To show the generated one again, remove your own.")
    if CONTROLS.search(cleaned):
        raise Malformed("text", "Enter plain text, without control characters.")
    if len(cleaned) > MAX_CHARACTERS:
        raise Malformed("text", f"The text has {len(cleaned):,} characters; at most {MAX_CHARACTERS:,} fit a page.")
    return cleaned


def _record(
    session: Session, newsletter: Newsletter, page: LegalPage, tag: str, *, actor: str, now: datetime, characters: int
) -> None:
    session.flush()
    facts = {"page": str(page), "language": tag, "characters": characters}
    newsletters.log_change(session, newsletter, CHANGED, actor=actor, now=now, **facts)
