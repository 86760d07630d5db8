"""Forms that an operator pastes into a page of their own. We keep them as we generated them; we never see the page."""

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.consent import exhibits, forms, rendered_forms, wordings
from newsletter.consent.forms import Form, FormKind
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
    shown = rendered_forms.exhibit(templates, wording, [newsletter], prefix=rendered_forms.PASTED_PREFIX)
    exhibit = exhibits.keep(session, "form", shown.encode())
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
