"""Publish a wording with its exhibits: the sign-up form and the confirm page, rendered as visitors see them."""

from datetime import datetime
from types import SimpleNamespace

from jinja2 import Environment
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent import wordings
from newsletter.consent.signups import LINK_LIFETIME
from newsletter.consent.wordings import Wording
from newsletter.newsletters import Newsletter

CONFIRM_WITHIN = f"{LINK_LIFETIME.total_seconds() / 3600:.0f} hours"


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


def publish_current(session: Session, pages: Environment, *, actor: str, now: datetime) -> None:
    """Publish every current wording again, so that its exhibits match today's pages: an upgrade may change a page.

    A wording whose pages did not change keeps its version.
    """
    for newsletter in newsletters.every(session):
        if last := wordings.current(session, newsletter.id, newsletter.language):
            publish(session, pages, newsletter, text=last.text, actor=actor, now=now)
