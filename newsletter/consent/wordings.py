"""Wordings: the exact consent texts, in numbered versions that never change.

A version also names the exhibits of the form and the confirm page that showed the text, so the proof contains them as
they were (EDPB Guidelines 05/2020 no. 108: a copy of the information presented, not a reference to a website).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log, newsletters
from newsletter.consent import exhibits
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

MAX_CHARACTERS = 4000  # of a consent text


class Wording(Base):
    """One version of a consent text. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "wordings"
    __table_args__ = (UniqueConstraint("newsletter_id", "language", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    language: Mapped[str] = mapped_column(String(35))
    version: Mapped[int]
    text: Mapped[str]
    form_exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    confirm_exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    # Ids of the newsletters that a form of several offers; None: the text is about its own newsletter only.
    newsletters: Mapped[list[Any] | None] = mapped_column(default=None)
    # What GDPR Art. 13 asks to tell, as published beside the text: {"language": tag, "entries": [[term, text], ...]}.
    # None: a release before stored the version; its forms showed English text.
    information: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    published_at: Mapped[datetime]


def default_text(newsletter: Newsletter) -> str:
    """Return a text that names the publisher, the purpose and how to stop (GDPR Art. 4(11), 7(3); CASL s. 10(1))."""
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
    """Make this text, on this form and this confirm page, the current version, and return it.

    Publishing the current version again changes nothing, so every start of the service may do it: only a changed text
    or page makes a new version. Raises Malformed for an empty or an overlong text.
    """
    text = " ".join(text.split())
    if not text or len(text) > MAX_CHARACTERS:
        raise Malformed("wording", f"Enter a consent text of at most {MAX_CHARACTERS} characters.")
    form_exhibit = exhibits.keep(session, "form", form)
    confirm_exhibit = exhibits.keep(session, "confirm page", confirm)
    # If two processes start at the same time, the second waits here and then finds the first one's version.
    newsletters.lock(session, newsletter.id)
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
    subject, facts = f"wording:{wording.id}", {"newsletter": newsletter.slug, "version": wording.version}
    audit_log.record(session, actor=actor, verb="wording published", subject=subject, now=now, **facts)
    return wording


def current(session: Session, newsletter_id: int, language: str) -> Wording | None:
    """Return the newest version of a newsletter's consent text in a language; None if there is none."""
    versions = select(Wording).where(Wording.newsletter_id == newsletter_id, Wording.language == language)
    return session.scalar(versions.order_by(Wording.version.desc()).limit(1))
