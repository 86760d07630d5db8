"""Wordings: the exact consent texts, in numbered versions that never change.

A version also names the exhibits of the form and the confirm page that showed the text, so the proof contains them as
they were (EDPB Guidelines 05/2020 no. 108: a copy of the information presented, not a reference to a website).
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, ColumnElement, ForeignKey, String, Text, UniqueConstraint, cast, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log
from newsletter.consent.wordings import exhibits
from newsletter.errors import Malformed
from newsletter.languages import tags
from newsletter.newsletters import Newsletter, lock
from newsletter.plain_text import CONTROLS
from newsletter.store.database import Base

PUBLISHED = "wording published"  # the verb in the audit log
MAX_CHARACTERS = 4000  # of a consent text
BLANKS = re.compile(r"[ \t\r\n\f\v]+")  # not no-break spaces, which languages put before a colon or into a quotation

# The built-in text of the releases that knew no other language, which they also stored as text in other languages.
FORMER_DEFAULT = re.compile(
    r"I ask .+ \(.+\) to send the newsletter “.+” to my e-mail address\. I can stop this at any time, free of charge "
    r"and without giving a reason: with the link in every letter, or by writing to \S+\."
)


def on_one_line(text: str) -> str:
    """Return a text as it is published: each run of blanks and line breaks is one space; no-break spaces stay."""
    return BLANKS.sub(" ", text).strip()


class Wording(Base):
    """One version of a consent text. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "wordings"
    __table_args__ = (UniqueConstraint("newsletter_id", "language", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    language: Mapped[str] = mapped_column(String(tags.MAX_CHARACTERS))
    version: Mapped[int]
    text: Mapped[str]
    form_exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    confirm_exhibit: Mapped[str] = mapped_column(ForeignKey("exhibits.sha256"))
    # Ids of the newsletters that a form of several offers; None: the text is about its own newsletter only.
    newsletters: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    # What GDPR Art. 13 asks to tell, as published beside the text: {"language": tag, "entries": [[term, text], ...]}.
    # None: a release before stored the version; its forms showed English text.
    information: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    published_at: Mapped[datetime]

    @property
    def is_english_by_mistake(self) -> bool:
        """Whether a release before stored its English default as a text in the language of the newsletter."""
        return self.shown_language != self.language

    @property
    def shown_language(self) -> str:
        """The language that the text is really in."""
        return shown_language(self.text, self.language, has_information=self.information is not None)


def shown_language(text: str, stored: str, *, has_information: bool) -> str:
    """Return the language that a text is really in.

    The releases before, which stored no information, stored their English default as text in the newsletter's language.
    """
    is_mistaken = not has_information and tags.primary(stored) != "en" and FORMER_DEFAULT.fullmatch(text)
    return "en" if is_mistaken else stored


class Shown(NamedTuple):
    """What a form shows beside its newsletters: the consent text, its language, and the information of Art. 13."""

    language: str
    text: str
    information: dict[str, Any]


def publish(
    session: Session,
    newsletter: Newsletter,
    shown: Shown,
    *,
    form: bytes,
    confirm: bytes,
    actor: str,
    now: datetime,
    newsletters: Sequence[int] | None = None,
    again: bool = False,
) -> Wording:
    """Make this text, on this form and this confirm page, the current version, and return it.

    `newsletters` are the ids that a form of several offers; `newsletter` is then the first of them. Publishing the
    current version again changes nothing, so every start of the service may do it: only a changed text or page makes a
    new version. `again`: the newest form of several stays the newest, whatever changes on a form of others. Raises
    Malformed for an empty or an overlong text.
    """
    text = on_one_line(shown.text)
    if not text or len(text) > MAX_CHARACTERS:
        raise Malformed("wording", f"Enter a consent text of at most {MAX_CHARACTERS} characters.")
    if CONTROLS.search(text):
        raise Malformed("wording", "Enter plain text, without control characters.")
    form_exhibit = exhibits.keep(session, "form", form)
    confirm_exhibit = exhibits.keep(session, "confirm page", confirm)
    # If two processes start at the same time, the second waits here and then finds the first one's version.
    lock(session, newsletter.id)
    offered = list(newsletters) if newsletters else None
    last = _current(session, newsletter.id, shown.language, _offers(offered, exactly=again))
    new = (text, form_exhibit, confirm_exhibit, offered)
    if last and (last.text, last.form_exhibit, last.confirm_exhibit, last.newsletters) == new:
        return last
    wording = Wording(
        newsletter_id=newsletter.id,
        language=shown.language,
        version=_last_version(session, newsletter.id, shown.language) + 1,
        text=text,
        form_exhibit=form_exhibit,
        confirm_exhibit=confirm_exhibit,
        newsletters=offered,
        information=shown.information,
        published_at=now,
    )
    session.add(wording)
    session.flush()
    facts = {"newsletter": newsletter.slug, "version": wording.version, "language": wording.language}
    audit_log.record(
        session,
        actor=actor,
        verb=PUBLISHED,
        subject=f"wording:{wording.id}",
        newsletter_id=newsletter.id,
        now=now,
        **facts,
    )
    return wording


def _last_version(session: Session, newsletter_id: int, language: str) -> int:
    """Return the highest version, of texts for forms of one newsletter and of several together; 0 if there is none."""
    versions = select(func.max(Wording.version))
    same = Wording.newsletter_id == newsletter_id, Wording.language == language
    return session.scalar(versions.where(*same)) or 0


def current(session: Session, newsletter_id: int, language: str) -> Wording | None:
    """Return the newest version of a newsletter's own consent text in a language; None if there is none."""
    found = _current(session, newsletter_id, language, _offers(None))
    return None if found and found.is_english_by_mistake else found


def current_by_language(session: Session, newsletter_id: int) -> dict[str, Wording]:
    """Return what `current` returns for every language that has words."""
    latest = select(func.max(Wording.id)).where(Wording.newsletter_id == newsletter_id, Wording.newsletters.is_(None))
    found = session.scalars(select(Wording).where(Wording.id.in_(latest.group_by(Wording.language))))
    return {each.language: each for each in found if not each.is_english_by_mistake}


def _current(session: Session, newsletter_id: int, language: str, offers: ColumnElement[bool]) -> Wording | None:
    versions = select(Wording).where(Wording.newsletter_id == newsletter_id, Wording.language == language, offers)
    return session.scalar(versions.order_by(Wording.version.desc()).limit(1))


def _offers(offered: Sequence[int] | None, *, exactly: bool = True) -> ColumnElement[bool]:
    """Select the words of forms that offer these newsletters; if not `exactly`, of all forms of several."""
    if offered is None:
        return Wording.newsletters.is_(None)
    return newsletters_as_text() == json.dumps(offered) if exactly else Wording.newsletters.is_not(None)


def newsletters_as_text() -> ColumnElement[str]:
    """Return the newsletters of a form of several as SQL that can be compared: JSON cannot."""
    return cast(Wording.newsletters, Text)


def last_information(session: Session, wording: Wording) -> dict[str, Any] | None:
    """Return the information of a wording, or the one last published before it in its language.

    While releases change, a process of the release before may publish a version without information.
    """
    published = select(Wording).where(
        Wording.newsletter_id == wording.newsletter_id,
        Wording.language == wording.language,
        _offers(wording.newsletters),
        Wording.information.is_not(None),
        Wording.version <= wording.version,
    )
    last = session.scalar(published.order_by(Wording.version.desc()).limit(1))
    return last.information if last else None


def newest(session: Session) -> list[Wording]:
    """Return the newest version of every newsletter, and of those that a form offers together, in each language.

    The oldest comes first. An English default that a release before stored as another language is among them.
    """
    series = Wording.newsletter_id, Wording.language, newsletters_as_text()
    latest = select(func.max(Wording.id)).group_by(*series)
    return list(session.scalars(select(Wording).where(Wording.id.in_(latest)).order_by(Wording.id)))
