"""Change a newsletter's fields, and tell what follows: words that were published anew, or that still name a value."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.audit_log import AuditEntry
from newsletter.consent.wordings import newsletter_changes, wording_publication
from newsletter.doctor.domains import domain_checks
from newsletter.errors import Malformed
from newsletter.languages.languages import english_name
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web import whole_numbers
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters import newsletter_forms
from newsletter.web.form_data import first_value
from newsletter.web.site import ReadingSession

NOTICES = {"same": "Nothing was changed: the newsletter is like that already."}
CHANGED = "newsletter changed"  # the verb in the audit log
ABOUT_THE_DOMAIN = ("sender", "reply_to", "return_path_domain")
# What a field is called where its name in the form says too little.
LABELS = {
    "site_url": "address of the site",
    "signup_thanks_url": "page after signing up",
    "confirmed_thanks_url": "page after confirming",
}

router = DeskRouter()


@router.page("/newsletters/{slug}/settings", Role.ADMIN)
def settings_page(request: Request, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the fields, and above them what the change did that led here."""
    newsletter = desk.newsletter
    report = _report(session, newsletter, request.query_params.get("change", ""))
    return _page(desk, newsletter, newsletter_forms.shown(newsletter), report=report)


@router.action("/newsletters/{slug}/settings", Role.ADMIN)
def change(slug: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Change what the operator has changed in the form."""
    entered = newsletter_forms.entered(form)
    changes = newsletter_forms.changes(form, entered.values)
    errors = {field: message for field, message in entered.errors.items() if field in changes}
    now, former, entry = desk.site.now(), {}, None
    if not errors:
        try:
            with desk.site.database.writing() as session:
                newsletter = newsletters.named(session, slug)
                done = wording_publication.change_newsletter(
                    session, desk.site.templates, newsletter, actor=desk.operator.actor, now=now, **changes
                )
                if former := done.former:
                    entry = audit_log.last(session, subject=f"newsletter:{slug}", verb=CHANGED)
                if any(field in former for field in ABOUT_THE_DOMAIN):
                    domain_checks.request(session, newsletter.id, now=now)
        except Malformed as error:
            errors[error.field] = str(error)
    if errors:
        with desk.site.database.reading() as session:
            newsletter = newsletters.named(session, slug)
        before = {field: first_value(form, newsletter_forms.BEFORE + field) for field in entered.values}
        return _page(desk, newsletter, entered.values, errors=errors, before=before)
    if entry is None:
        return desk.done(f"/newsletters/{slug}/settings", "same")
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/newsletters/{slug}/settings", change=str(entry.id))


def _page(
    desk: Desk,
    newsletter: Newsletter,
    values: dict[str, Any],
    *,
    errors: dict[str, str] | None = None,
    before: dict[str, str] | None = None,
    report: dict[str, Any] | None = None,
) -> HTMLResponse:
    return desk.page(
        "newsletters/settings",
        notices=NOTICES,
        newsletter=newsletter,
        values=values,
        before=before or {field: newsletter_forms.written(value) for field, value in values.items()},
        errors=errors,
        **newsletter_forms.choices(values),
        report=report,
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
    )


def _report(session: Session, newsletter: Newsletter, number: str) -> dict[str, Any] | None:
    """Return what a change has done, by the number of its entry in the audit log."""
    entry_id = whole_numbers.parse(number)
    entry = None if entry_id is None else session.get(AuditEntry, entry_id)
    if entry is None or (entry.verb, entry.subject) != (CHANGED, f"newsletter:{newsletter.slug}"):
        return None
    change = wording_publication.change_of(session, newsletter, entry)
    withdrawn = newsletter_changes.withdrawn_languages(newsletter, change.former)
    missing = wording_publication.missing_languages(session, newsletter)
    return {
        "fields": [
            {"name": LABELS.get(field, field), "new": entry.fields[field], "old": old}
            for field, old in change.former.items()
        ],
        "change": change,
        "keeps_reply_address": newsletter_changes.keeps_former_reply_address(newsletter, change.former),
        "withdrawn": [english_name(tag) for tag in withdrawn],
        "missing": [(tag, english_name(tag)) for tag in missing],
    }
