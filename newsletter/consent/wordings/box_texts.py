"""The title and the text above the form in the box on the publisher's page, and the forms that show them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import newsletters
from newsletter.consent.wordings import exhibits, former_words, forms, rendered_forms, shown_words, wordings
from newsletter.consent.wordings.forms import Form, FormKind
from newsletter.consent.wordings.wordings import Shown, Wording, on_one_line
from newsletter.errors import Malformed
from newsletter.languages import tags
from newsletter.languages.languages import language as spoken
from newsletter.languages.translatable import translatable
from newsletter.newsletters import Newsletter
from newsletter.plain_text import CONTROLS
from newsletter.store.database import Base
from newsletter.templating import Templates

CHANGED = "box text changed"  # the verb in the audit log
MAX_TITLE_CHARACTERS = 120
MAX_TEXT_CHARACTERS = 500


class BoxText(Base):
    """What the box of a newsletter, or of several, says in a language.

    Without a row it says the newsletter's name and description, of several whose they are.
    """

    __tablename__ = "box_texts"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)  # of several the oldest
    others: Mapped[str] = mapped_column(primary_key=True)  # the ids of the other ones in order, as "2,5"; "" for none
    language: Mapped[str] = mapped_column(String(tags.MAX_CHARACTERS), primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    changed_at: Mapped[datetime]


class BoxWords(NamedTuple):
    """What stands above the form, and the language of its author."""

    title: str
    text: str
    language: str


def of(session: Session, offered: Sequence[Newsletter], language: str) -> BoxWords:
    """Return what the box of these newsletters says in a language, above the form.

    It is what an operator wrote for exactly these; otherwise the name and the description of the only one, and of
    several whose they are.
    """
    own = session.get(BoxText, (*_key(offered), language))
    if own:
        return BoxWords(own.title, own.text, language)
    first = offered[0]
    if len(offered) == 1:
        return BoxWords(first.name, first.description, first.language)
    title = translatable("Newsletters of %(publisher)s", publisher=first.publisher)
    return BoxWords(spoken(language).text(title), "", language)


def change(
    session: Session,
    templates: Templates,
    offered: Sequence[Newsletter],
    *,
    language: str,
    actor: str,
    now: datetime,
    title: str | None = None,
    text: str | None = None,
) -> BoxWords:
    """Store what is given, keep the form that shows it, and return what the box then says. An empty text shows none.

    It concerns the box of exactly these newsletters. Words of consent must be published in the language for the box to
    appear. Raises Malformed, naming title or text, or the newsletters if they are not of one publisher.
    """
    shown_words.check_one_publisher(offered)
    for number in sorted(each.id for each in offered):
        newsletters.lock(session, number)
    before = of(session, offered, language)
    new = BoxWords(
        _checked("title", before.title if title is None else title, MAX_TITLE_CHARACTERS),
        _checked("text", before.text if text is None else text, MAX_TEXT_CHARACTERS),
        language,
    )
    if not new.title:
        raise Malformed("title", "Enter a title: it says what the box is for.")
    first, others = _key(offered)
    row = session.get(BoxText, (first, others, language))
    if row is None:
        words = {"language": language, "title": new.title, "text": new.text}
        session.add(BoxText(newsletter_id=first, others=others, **words, changed_at=now))
    elif (row.title, row.text) == (new.title, new.text):
        return new
    else:
        row.title, row.text, row.changed_at = new.title, new.text, now
    session.flush()
    if wording := shown_words.by_language(session, offered).get(language):
        keep_form(session, templates, wording, shown_words.in_order(wording, offered), now=now)
    named = newsletters.as_facts(offered)
    facts = {"language": language, "title": new.title, "text": new.text}
    newsletters.log_change(session, offered[0], CHANGED, actor=actor, now=now, **named, **facts)
    return new


def keep_form(
    session: Session, templates: Templates, wording: Wording, offered: Sequence[Newsletter], *, now: datetime
) -> Form:
    """Keep the box's form that shows this wording, and return it. Needs the lock of the wording's newsletter."""
    shown = _rendered(session, templates, wording, offered)
    exhibit = exhibits.keep(session, "form", shown)
    return forms.keep(session, wording, FormKind.BOX, [each.id for each in offered], exhibit, now=now)


def current_form(
    session: Session, templates: Templates, wording: Wording, offered: Sequence[Newsletter]
) -> tuple[Form, str] | None:
    """Return the form that a box shows now, with its HTML exactly as kept; None if none is kept.

    It is the one that these templates and texts make. If a process of another release has published the words, its
    newest form is shown: only what was kept can be proved.
    """
    wanted = exhibits.sha256(_rendered(session, templates, wording, offered))
    kept = select(Form).where(Form.wording_id == wording.id, Form.kind == FormKind.BOX).order_by(Form.id.desc())
    found = session.scalars(kept).all()
    form = next((each for each in found if each.exhibit == wanted), next(iter(found), None))
    return (form, session.get_one(exhibits.Exhibit, form.exhibit).body.decode()) if form else None


def _rendered(session: Session, templates: Templates, wording: Wording, offered: Sequence[Newsletter]) -> bytes:
    # Words of a release that stored no information beside them are shown with what its forms said.
    told = wordings.last_information(session, wording) or former_words.information(offered)
    words = Shown(wording.language, wording.text, told)
    return rendered_forms.box(templates, words, offered, of(session, offered, wording.language)).encode()


def _key(offered: Sequence[Newsletter]) -> tuple[int, str]:
    first, *others = sorted(each.id for each in offered)
    return first, ",".join(map(str, others))


def _checked(field: str, value: str, limit: int) -> str:
    value = on_one_line(value)
    if len(value) > limit:
        raise Malformed(field, f"Enter at most {limit} characters.")
    if CONTROLS.search(value):
        raise Malformed(field, "Enter plain text, without control characters.")
    return value
