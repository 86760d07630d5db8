"""The first step: name the newsletter. What a form must ask is asked; the rest has values that can be changed later."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.exc import IntegrityError

from newsletter import newsletter_fields, newsletters, zones
from newsletter.consent.wordings import wording_publication
from newsletter.doctor.domains import domain_checks
from newsletter.errors import Malformed
from newsletter.languages import catalogues
from newsletter.languages.languages import english_name
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.first_steps import screens
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.today import steps
from newsletter.web.site import ReadingSession

ASKED = ("name", "publisher", "sender", "postal_address", "language", "zone")
WANTED = {
    "name": "Enter the newsletter's name, as readers see it.",
    "publisher": "Enter the person or organization that is responsible for it.",
    "sender": "Enter the address that letters come from, like letters@example.org.",
    "postal_address": "Enter street and town: the law asks for them in every letter.",
    "zone": "Enter a time zone, like Europe/Berlin.",
}
USUAL_SLUG = "newsletter"  # for a name without Latin letters

router = DeskRouter()


@router.page("/start", Role.ADMIN, AccessScope.SERVICE)
def newsletter_form(desk: CurrentDesk, session: ReadingSession) -> Response:
    """Show the form; once there is a newsletter, lead on to what is left."""
    left = steps.left(session, desk.operator)
    if left.newsletter:
        return desk.done(left.steps[0].path.removeprefix("/desk"))
    if newsletters.every(session):
        return desk.done("")
    return _page(desk, {"language": catalogues.DEFAULT, "zone": desk.operator.zone})


@router.action("/start", Role.ADMIN, AccessScope.SERVICE)
def add(desk: CurrentDesk, form: PostedForm) -> Response:
    """Add the newsletter and publish the words of consent that are proposed; go on to its feed."""
    entered: dict[str, Any] = {field: " ".join(forms.text(form, field).split()) for field in ASKED}
    errors: dict[str, str] = {}
    for field, value in entered.items():
        try:
            newsletter_fields.checked(field, value)
        except Malformed as error:
            errors[field] = WANTED.get(field, str(error)) if not value else str(error)
    if errors:
        return _page(desk, entered, errors)
    now, actor = desk.site.now(), desk.operator.actor
    slug = newsletters.slug_of(entered["name"]) or USUAL_SLUG
    try:
        with desk.site.database.writing() as session:
            newsletter = newsletters.add(session, slug=slug, actor=actor, now=now, **entered)
            session.flush()
            wording_publication.publish_proposed(session, desk.site.templates, newsletter, actor=actor, now=now)
            domain_checks.request(session, newsletter.id, now=now)
    except (Malformed, IntegrityError) as error:
        if _is_same(desk, slug, entered):
            return desk.done(f"/start/{slug}/feed")
        taken = f"There is a newsletter with this name in its address already ({slug}). Enter another name."
        field = error.field if isinstance(error, Malformed) else "slug"
        told = {"name": taken} if field == "slug" else {field: str(error)}
        return _page(desk, entered, told)
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/start/{slug}/feed", "added")


def _is_same(desk: Desk, slug: str, entered: Mapping[str, str]) -> bool:
    """Whether the newsletter was just added with the same values: the button was pressed twice."""
    with desk.site.database.reading() as session:
        found = newsletters.by_slug(session, slug)
        return found is not None and all(getattr(found, field) == value for field, value in entered.items())


def _page(desk: Desk, values: Mapping[str, str], errors: Mapping[str, str] | None = None) -> HTMLResponse:
    return desk.page(
        "first_steps/newsletter",
        values={**dict.fromkeys(ASKED, ""), **values},
        errors=errors,
        languages=[(tag, english_name(tag)) for tag in catalogues.LANGUAGES],
        zones=zones.names(),
        screens=screens.shown("", "newsletter"),
    )
