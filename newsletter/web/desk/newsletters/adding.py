"""Add a newsletter: its fields, with sensible values entered, and the proposed words of consent."""

from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from newsletter import newsletters
from newsletter.consent.wordings import wording_publication
from newsletter.doctor.domains import domain_checks
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters import newsletter_forms
from newsletter.web.site import ReadingSession

FROM_THE_LAST = ("publisher", "postal_address", "sender", "language", "zone", "brand", "site_url")

router = DeskRouter()


@router.page("/newsletters/new", Role.ADMIN, AccessScope.SERVICE)
def adding_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the form, with the publisher and sender of the newsletter that was added last."""
    last = session.scalar(select(Newsletter).order_by(Newsletter.id.desc()).limit(1))
    known = newsletter_forms.shown(last) if last else {}
    return _page(desk, {**newsletter_forms.DEFAULTS, **{field: known[field] for field in FROM_THE_LAST if known}})


@router.action("/newsletters/new", Role.ADMIN, AccessScope.SERVICE)
def add(desk: CurrentDesk, form: PostedForm) -> Response:
    """Add the newsletter and publish the words of consent that are proposed in its language."""
    entered = newsletter_forms.entered(form)
    values = {**entered.values, "slug": forms.text(form, "slug")}
    slug, errors = values["slug"] or newsletters.slug_of(values["name"]), dict(entered.errors)
    if not slug and "name" not in errors:
        errors["slug"] = "Enter a name for web addresses, of a to z, 0 to 9 and -, like morning-letter."
    now = desk.site.now()
    if not errors:
        try:
            with desk.site.database.writing() as session:
                by: dict[str, Any] = {"actor": desk.operator.actor, "now": now}
                newsletter = newsletters.add(
                    session, slug=slug, **{field: entered.values[field] for field in newsletter_forms.DEFAULTS}, **by
                )
                session.flush()
                wording_publication.publish_proposed(session, desk.site.templates, newsletter, **by)
                domain_checks.request(session, newsletter.id, now=now)
        except Malformed as error:
            errors[error.field] = str(error)
        except IntegrityError:  # pressed twice, and the other request was first
            errors["slug"] = f"A newsletter “{slug}” exists already."
    if errors:
        return _page(desk, values, errors)
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/newsletters/{slug}", "added")


def _page(desk: Desk, values: dict[str, Any], errors: dict[str, str] | None = None) -> HTMLResponse:
    return desk.page(
        "newsletters/new",
        values={"slug": "", **values},
        errors=errors,
        **newsletter_forms.choices(values),
    )
