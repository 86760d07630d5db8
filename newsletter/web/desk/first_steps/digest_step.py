"""The third step: a digest, on a schedule in plain words, whose next ten runs are shown before it is saved.

It asks less than the page of digests does; everything can be changed there later.
"""

from dataclasses import replace

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests import digests
from newsletter.content.digests.plain_schedules import Pattern
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.digests.digest_fields import AUTOMATIC, DigestFields
from newsletter.web.desk.digests.schedule_fields import ScheduleFields
from newsletter.web.desk.first_steps import screens
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.form_data import FormData

NOTICES = {"feed-added": "The feed is added. Next, when its articles leave."}
PATTERNS = (
    (Pattern.WEEKDAYS.value, "Monday to Friday"),
    (Pattern.DAILY.value, "Every day"),
    (Pattern.WEEKLY.value, "Every week on these days:"),
    (Pattern.MONTHLY.value, "Every month on this day:"),
)

router = DeskRouter()


@router.page("/start/{slug}/digest", Role.EDITOR)
def digest_form(desk: CurrentDesk) -> HTMLResponse:
    """Show the form with a schedule that suits most: on weekdays at seven."""
    newsletter = desk.newsletter
    return _page(desk, newsletter, replace(DigestFields.default(), name=newsletter.name[: digests.MAX_NAME]))


@router.action("/start/{slug}/digest", Role.EDITOR)
def add(desk: CurrentDesk, form: PostedForm, slug: str) -> Response:
    """Add the digest and go on to the test letter; or only show the next runs, if that button was pressed."""
    fields = _entered(form)
    with desk.site.database.reading() as session:
        newsletter = newsletters.named(session, slug)
        if "show" in form:
            return _page(desk, newsletter, fields)
        may_be_automatic = desk.operator.may(Role.PUBLISHER, newsletter.id)
        if errors := fields.errors(newsletter.zone, may_be_automatic=may_be_automatic):
            return _page(desk, newsletter, fields, errors)
        if _was_added(session, newsletter, fields):
            return desk.done(f"/start/{slug}/letter")
    try:
        with desk.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            cron, zone = fields.schedule.checked(newsletter.zone)
            digests.add(
                session,
                newsletter,
                name=fields.name,
                cron=cron,
                zone=zone,
                articles=int(fields.articles),
                automatic=fields.send == AUTOMATIC,
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
    except Malformed as error:
        return _page(desk, newsletter, fields, {error.field: str(error)})
    desk.site.wakeups.wake(Queue.UPKEEP)
    return desk.done(f"/start/{slug}/letter", "digest-added")


def _entered(form: FormData) -> DigestFields:
    return replace(
        DigestFields.default(),
        name=forms.text(form, "name"),
        articles=forms.text(form, "articles"),
        send=forms.text(form, "send"),
        schedule=ScheduleFields.read(form),
    )


def _was_added(session: Session, newsletter: Newsletter, fields: DigestFields) -> bool:
    """Whether there is such a digest already: the button was pressed twice."""
    same = fields.name, *fields.schedule.checked(newsletter.zone)
    found = (digest for digest, its in digests.every(session) if its.id == newsletter.id)
    return any((digest.name, digest.cron, digest.zone) == same for digest in found)


def _page(
    desk: Desk, newsletter: Newsletter, fields: DigestFields, errors: dict[str, str] | None = None
) -> HTMLResponse:
    return desk.page(
        "first_steps/digest",
        notices=NOTICES,
        newsletter=newsletter,
        fields=fields,
        errors=errors,
        patterns=PATTERNS,
        may_be_automatic=desk.operator.may(Role.PUBLISHER, newsletter.id),
        screens=screens.shown(newsletter.slug, "digest"),
        **fields.schedule.context(newsletter.zone, operator_zone=desk.operator.zone, now=desk.site.now()),
    )
