"""Forms that an operator pastes into a page of their own. We keep them as we generated them; we never see the page."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.consent.wordings import exhibits, forms, rendered_forms, shown_words
from newsletter.consent.wordings.forms import Form, FormKind
from newsletter.consent.wordings.wordings import Wording
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates


def publish(
    session: Session,
    templates: Templates,
    offered: Sequence[Newsletter],
    *,
    language: str,
    base_url: str,
    actor: str,
    now: datetime,
) -> tuple[Form, str]:
    """Return the form that shows the current words about exactly these newsletters, kept as an exhibit, and its HTML.

    Raises Malformed if they are not of one publisher, and NotFound if no words are published in this language.
    """
    shown_words.check_one_publisher(offered)
    wording = shown_words.by_language(session, offered).get(language)
    if wording is None:
        about = ", ".join(each.slug for each in offered)
        publish_some = shown_words.publishing_command(offered, language)
        raise NotFound(f"No words about {about} are published in “{language}”. Publish some: {publish_some}")
    among = shown_words.in_order(wording, offered)
    newsletters.lock(session, wording.newsletter_id)
    exhibit = exhibits.keep(session, "form", _exhibit(templates, among, wording))
    form = forms.keep(session, wording, FormKind.PASTED, [each.id for each in among], exhibit, now=now)
    html = rendered_forms.pasted(templates, wording, among, wording=wording.id, form=form.id, base_url=base_url)
    facts = {**newsletters.as_facts(among), "language": wording.language}
    audit_log.record(
        session,
        actor=actor,
        verb="form generated",
        subject=f"form:{form.id}",
        newsletter_id=wording.newsletter_id,
        now=now,
        **facts,
    )
    return form, html


def published(
    session: Session, templates: Templates, offered: Sequence[Newsletter], wording: Wording, base_url: str
) -> str:
    """Return the HTML of the form that shows this wording as it would be generated now; "" if none is kept."""
    among = shown_words.in_order(wording, offered)
    exhibit = exhibits.sha256(_exhibit(templates, among, wording))
    kept = select(Form.id).where(Form.wording_id == wording.id, Form.kind == FormKind.PASTED, Form.exhibit == exhibit)
    form = session.scalar(kept)
    if form is None:
        return ""
    return rendered_forms.pasted(templates, wording, among, wording=wording.id, form=form, base_url=base_url)


def _exhibit(templates: Templates, offered: Sequence[Newsletter], wording: Wording) -> bytes:
    return rendered_forms.exhibit(templates, wording, offered, prefix=rendered_forms.PASTED_PREFIX).encode()
