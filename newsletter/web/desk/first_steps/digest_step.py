"""The third step: a digest, on a schedule in plain words, whose next ten runs are shown before it is saved."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests import digests, planned_runs, recurrence
from newsletter.content.digests.plain_schedules import MONTH_DAYS, Pattern, PlainSchedule
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.first_steps import screens
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.form_data import FormData
from newsletter.web.site import ReadingSession

NOTICES = {"feed-added": "The feed is added. Next, when its articles leave."}
PATTERNS = {
    Pattern.WEEKDAYS: "Monday to Friday",
    Pattern.DAILY: "Every day",
    Pattern.WEEKLY: "On these weekdays",
    Pattern.MONTHLY: "Once a month, on this day",
}
AUTOMATIC = "automatic"

router = DeskRouter()


@router.page("/start/{slug}/digest", Role.EDITOR)
def digest_form(desk: CurrentDesk, session: ReadingSession, slug: str) -> HTMLResponse:
    """Show the form with a schedule that suits most: on weekdays at seven."""
    newsletter = newsletters.named(session, slug)
    return _page(desk, newsletter, _usual(newsletter))


@router.action("/start/{slug}/digest", Role.EDITOR)
def add(desk: CurrentDesk, form: PostedForm, slug: str) -> Response:
    """Add the digest and go on to the test letter; or only show the next runs, if that button was pressed.

    A schedule that never comes is no failure while it is only shown: htmx takes no other answer than 200.
    """
    entered = _entered(form)
    if forms.text(form, "show"):
        with desk.site.database.reading() as session:
            return _page(desk, newsletters.named(session, slug), entered)
    try:
        with desk.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            digests.add(
                session,
                newsletter,
                name=entered["name"],
                cron=_schedule(entered).as_cron(),
                articles=_number(entered["articles"]),
                automatic=entered["send"] == AUTOMATIC,
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
    except Malformed as error:
        with desk.site.database.reading() as session:
            newsletter = newsletters.named(session, slug)
            if _was_added(session, newsletter, entered):
                return desk.done(f"/start/{slug}/letter")
            return _page(desk, newsletter, entered, {error.field: str(error)}, status=422)
    desk.site.wakeups.wake(Queue.UPKEEP)
    return desk.done(f"/start/{slug}/letter", "digest-added")


def _usual(newsletter: Newsletter) -> dict[str, Any]:
    return {
        "name": newsletter.name[: digests.MAX_NAME],
        "pattern": Pattern.WEEKDAYS.value,
        "days": [],
        "day": "1",
        "time": "07:00",
        "articles": "12",
        "send": "approve",
    }


def _entered(form: FormData) -> dict[str, Any]:
    fields = ("name", "pattern", "day", "time", "articles", "send")
    days = [int(day) for day in form.get("days", ()) if day in set("1234567")]
    return {**{field: forms.text(form, field) for field in fields}, "days": days}


def _schedule(entered: Mapping[str, Any]) -> PlainSchedule:
    """Return the schedule that was chosen. Raises Malformed without a pattern."""
    if entered["pattern"] not in PATTERNS:
        raise Malformed("pattern", "Choose on which days it leaves.")
    days, pattern = tuple(entered["days"]), Pattern(entered["pattern"])
    return PlainSchedule(pattern=pattern, days=days, day=entered["day"], time=entered["time"])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise Malformed("articles", f"“{text}” is not a number of articles. Enter one from 1 to 100, like 12.")
    return int(text)


def _was_added(session: Session, newsletter: Newsletter, entered: Mapping[str, Any]) -> bool:
    """Whether the same digest was added just before: the button was pressed twice."""
    same = [digest for digest, its in digests.every(session) if its.id == newsletter.id]
    try:
        cron = _schedule(entered).as_cron()
    except Malformed:
        return False
    return any((digest.name, digest.cron) == (entered["name"], cron) for digest in same)


def _page(
    desk: Desk,
    newsletter: Newsletter,
    values: Mapping[str, Any],
    errors: dict[str, str] | None = None,
    *,
    status: int = 200,
) -> HTMLResponse:
    errors, runs = dict(errors or {}), []
    try:
        cron = _schedule(values).as_cron()
        recurrence.check(cron, newsletter.zone)
        runs = planned_runs.planned(cron, newsletter.zone, after=desk.site.now())
    except Malformed as error:
        errors.setdefault(error.field, str(error))
    return desk.page(
        "first_steps/digest",
        status=status,
        notices=NOTICES,
        newsletter=newsletter,
        values=values,
        errors=errors,
        patterns=[(pattern.value, name) for pattern, name in PATTERNS.items()],
        month_days=MONTH_DAYS,
        runs=runs,
        screens=screens.shown(newsletter.slug, "digest"),
    )
