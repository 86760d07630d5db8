"""Publish a wording with its exhibits: the sign-up form and the confirm page, rendered as visitors see them."""

from datetime import datetime
from types import SimpleNamespace
from typing import NamedTuple, Unpack

from jinja2 import Environment
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent import wordings
from newsletter.consent.signups import LINK_LIFETIME
from newsletter.consent.wordings import Wording
from newsletter.newsletters import Newsletter

NAMED_BY_WORDINGS = ("name", "publisher", "postal_address", "reply_to", "sender")

CONFIRM_WITHIN = f"{LINK_LIFETIME.total_seconds() / 3600:.0f} hours"


class NewsletterChange(NamedTuple):
    """What a change of a newsletter has done."""

    former: dict[str, str | None]  # values of the fields that have changed
    version: int | None  # of the wording that was published; None if the form still reads the same
    still_named: list[str]  # fields whose former value the publisher's own wording still names


def publish(
    session: Session, pages: Environment, newsletter: Newsletter, *, text: str, actor: str, now: datetime
) -> Wording:
    """Publish a consent text together with the form and the confirm page that show it; return its current version."""
    shown = SimpleNamespace(text=" ".join(text.split()), language=newsletter.language)
    form = pages.get_template("pages/_signup_form.html").render(
        newsletter=newsletter,
        wording=shown,
        confirm_within=CONFIRM_WITHIN,
        values={"email": "", "name": ""},
        errors={},
    )
    listed = {"slug": newsletter.slug, "name": newsletter.name}
    confirm = pages.get_template("pages/_confirm_words.html").render(newsletters=[listed], wording=shown)
    return wordings.publish(
        session,
        newsletter,
        language=newsletter.language,
        text=shown.text,
        form=form.encode(),
        confirm=confirm.encode(),
        actor=actor,
        now=now,
    )


def change_newsletter(
    session: Session,
    pages: Environment,
    newsletter: Newsletter,
    *,
    actor: str,
    now: datetime,
    **changes: Unpack[newsletters.NewsletterFields],
) -> NewsletterChange:
    """Change a newsletter as `newsletters.change` does, and publish its consent wording as it then has to read.

    The default wording names publisher, address and newsletter, so a new version follows the change. A text of the
    publisher's own stays as it is; the answer says which former values it still names. Both are shown by forms that
    have changed, too, and proofs of earlier consents keep what was shown then.
    """
    default, last = wordings.default_text(newsletter), wordings.current(session, newsletter.id, newsletter.language)
    former = newsletters.change(session, newsletter, actor=actor, now=now, **changes)
    if not former or last is None:
        return NewsletterChange(former, None, [])
    is_default = last.text == " ".join(default.split())
    text = wordings.default_text(newsletter) if is_default else last.text
    new = publish(session, pages, newsletter, text=text, actor=actor, now=now)
    named = [field for field in NAMED_BY_WORDINGS if (old := former.get(field)) and old in new.text]
    return NewsletterChange(former, new.version if new.id != last.id else None, [] if is_default else named)


def publish_current(session: Session, pages: Environment, *, actor: str, now: datetime) -> None:
    """Publish every current wording again, so that its exhibits match today's pages: an upgrade may change a page.

    A wording whose pages did not change keeps its version.
    """
    for newsletter in newsletters.every(session):
        if last := wordings.current(session, newsletter.id, newsletter.language):
            publish(session, pages, newsletter, text=last.text, actor=actor, now=now)
