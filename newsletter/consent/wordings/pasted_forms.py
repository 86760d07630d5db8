"""Forms that an operator pastes into a page of their own. We keep them as we generated them; we never see the page."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.consent.wordings import exhibits, forms, rendered_forms, wordings
from newsletter.consent.wordings.forms import Form, FormKind
from newsletter.consent.wordings.wordings import Wording
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates


def publish(
    session: Session,
    templates: Templates,
    newsletter: Newsletter,
    *,
    language: str,
    base_url: str,
    actor: str,
    now: datetime,
) -> tuple[Form, str]:
    """Return the form that shows a newsletter's current words, kept as an exhibit, and its HTML.

    Raises NotFound if no words are published in this language.
    """
    wording = wordings.current(session, newsletter.id, language)
    if wording is None:
        publish_some = f"newsletter newsletters wording {newsletter.slug} --language {language}"
        raise NotFound(f"“{newsletter.slug}” has no published words in “{language}”. Publish some: {publish_some}")
    newsletters.lock(session, newsletter.id)
    exhibit = exhibits.keep(session, "form", _exhibit(templates, newsletter, wording))
    form = forms.keep(session, wording, FormKind.PASTED, [newsletter.id], exhibit, now=now)
    html = rendered_forms.pasted(templates, wording, [newsletter], wording=wording.id, form=form.id, base_url=base_url)
    facts = {"newsletter": newsletter.slug, "language": wording.language}
    audit_log.record(
        session,
        actor=actor,
        verb="form generated",
        subject=f"form:{form.id}",
        newsletter_id=newsletter.id,
        now=now,
        **facts,
    )
    return form, html


def published(session: Session, templates: Templates, newsletter: Newsletter, wording: Wording, base_url: str) -> str:
    """Return the HTML of the form that shows this wording as it would be generated now; "" if none is kept."""
    exhibit = exhibits.sha256(_exhibit(templates, newsletter, wording))
    kept = select(Form.id).where(Form.wording_id == wording.id, Form.kind == FormKind.PASTED, Form.exhibit == exhibit)
    form = session.scalar(kept)
    if form is None:
        return ""
    return rendered_forms.pasted(templates, wording, [newsletter], wording=wording.id, form=form, base_url=base_url)


def _exhibit(templates: Templates, newsletter: Newsletter, wording: Wording) -> bytes:
    return rendered_forms.exhibit(templates, wording, [newsletter], prefix=rendered_forms.PASTED_PREFIX).encode()
