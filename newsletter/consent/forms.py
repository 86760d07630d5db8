"""The sign-up form as an exhibit: what a visitor saw, rendered as the page renders it, kept under its hash."""

from datetime import datetime
from types import SimpleNamespace

from jinja2 import Environment
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent import wordings
from newsletter.consent.signups import VALID
from newsletter.consent.wordings import Wording
from newsletter.newsletters import Newsletter

CONFIRM_WITHIN = f"{VALID.total_seconds() / 3600:.0f} hours"


def publish(
    session: Session, pages: Environment, newsletter: Newsletter, *, text: str, actor: str, now: datetime
) -> Wording:
    """Publish consent words together with the form and the confirm page that show them."""
    shown = SimpleNamespace(text=" ".join(text.split()), language=newsletter.language)
    form = pages.get_template("pages/_signup_form.html").render(
        newsletter=newsletter,
        wording=shown,
        confirm_within=CONFIRM_WITHIN,
        values={"email": "", "name": ""},
        errors={},
    )
    asked = {"slug": newsletter.slug, "name": newsletter.name}
    confirm = pages.get_template("pages/_confirm_words.html").render(newsletters=[asked], wording=shown)
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
    """Make sure that what the pages show today is what the newest wordings name: an upgrade may have changed a page."""
    for newsletter in newsletters.every(session):
        if last := wordings.current(session, newsletter.id, newsletter.language):
            publish(session, pages, newsletter, text=last.text, actor=actor, now=now)
