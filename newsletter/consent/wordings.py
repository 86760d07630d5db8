"""Wordings: the exact words that people consent to, in numbered versions that never change.

A version also names the form and the confirm page that carried the words, so the proof shows them as they stood
(EDPB Guidelines 05/2020 no. 108: a copy of the information that was presented, not a reference to a website).
"""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log
from newsletter.consent import exhibits
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

LIMIT = 4000  # characters


class Wording(Base):
    """One version of the words. Triggers refuse to change or delete it."""

    __tablename__ = "wordings"
    __table_args__ = (UniqueConstraint("newsletter_id", "language", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    language: Mapped[str] = mapped_column(String(35))
    version: Mapped[int]
    text: Mapped[str]
    form_exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    confirm_exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    published_at: Mapped[datetime]


def default_text(newsletter: Newsletter) -> str:
    """Words that name who asks, for what, and how to stop (GDPR Art. 4(11) and 7(3); CASL s. 10(1))."""
    return (
        f"I ask {newsletter.publisher} ({newsletter.postal_address}) to send the newsletter “{newsletter.name}” to my "
        "e-mail address. I can stop this at any time, free of charge and without giving a reason: with the link in "
        f"every letter, or by writing to {newsletter.reply_to}."
    )


def publish(
    session: Session,
    newsletter: Newsletter,
    *,
    language: str,
    text: str,
    form: bytes,
    confirm: bytes,
    actor: str,
    now: datetime,
) -> Wording:
    """Make these words, on this form and this confirm page, the current version.

    Publishing what is current already changes nothing, so a start of the service may do it every time: a new version
    comes only when the words or a page around them are new.
    """
    text = " ".join(text.split())
    if not text or len(text) > LIMIT:
        raise Malformed("wording", f"Enter the words of the consent, at most {LIMIT} characters.")
    form_exhibit = exhibits.keep(session, "form", form)
    confirm_exhibit = exhibits.keep(session, "confirm page", confirm)
    # Of two processes that start at once, the second waits here and then finds the version that the first has made.
    session.execute(select(Newsletter.id).where(Newsletter.id == newsletter.id).with_for_update(key_share=True))
    last = current(session, newsletter.id, language)
    if last and (last.text, last.form_exhibit, last.confirm_exhibit) == (text, form_exhibit, confirm_exhibit):
        return last
    wording = Wording(
        newsletter_id=newsletter.id,
        language=language,
        version=last.version + 1 if last else 1,
        text=text,
        form_exhibit=form_exhibit,
        confirm_exhibit=confirm_exhibit,
        published_at=now,
    )
    session.add(wording)
    session.flush()
    audit_log.record(
        session,
        actor=actor,
        verb="wording published",
        subject=f"wording:{wording.id}",
        now=now,
        newsletter=newsletter.slug,
        version=wording.version,
    )
    return wording


def current(session: Session, newsletter_id: int, language: str) -> Wording | None:
    """The newest version of a newsletter's words in a language."""
    found = select(Wording).where(Wording.newsletter_id == newsletter_id, Wording.language == language)
    return session.scalar(found.order_by(Wording.version.desc()).limit(1))
