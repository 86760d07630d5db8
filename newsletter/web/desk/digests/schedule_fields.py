"""The fields of a schedule in a form: plain words or a cron expression, in a time zone.

Their names are `pattern`, `days` (1 is Monday; several), `day`, `time`, `cron` and `zone`. Templates show them with
templates/desk/digests/_schedule.html, and the next runs with _runs.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from newsletter.content.digests import plain_schedules, planned_runs, recurrence
from newsletter.content.digests.explanation import DigestSchedule
from newsletter.content.digests.plain_schedules import MONTH_DAYS, WEEKDAYS, Pattern, PlainSchedule
from newsletter.errors import Malformed
from newsletter.web import whole_numbers
from newsletter.web.desk.frame import forms
from newsletter.web.form_data import FormData

NAMES = ("pattern", "days", "day", "time", "cron", "zone")
SHOWN_RUNS = 10
WEEKDAY_NAMES = dict(zip(WEEKDAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
DEFAULT = PlainSchedule(pattern=Pattern.WEEKDAYS)


@dataclass(frozen=True, kw_only=True)
class ScheduleFields:
    """What the fields hold, checked or not. An empty `zone` is the newsletter's."""

    pattern: str
    days: tuple[str, ...]
    day: str
    time: str
    cron: str
    zone: str

    @classmethod
    def of(cls, cron: str, zone: str) -> Self:
        """Return the fields that show a stored schedule."""
        return cls._showing(plain_schedules.read(cron), zone, cron)

    @classmethod
    def default(cls) -> Self:
        """Return the fields of a form for a new schedule: Monday to Friday at 07:00."""
        return cls._showing(DEFAULT, "", DEFAULT.as_cron())

    @classmethod
    def _showing(cls, schedule: PlainSchedule, zone: str, cron: str) -> Self:
        return cls(
            pattern=schedule.pattern.value,
            days=tuple(map(str, schedule.days)),
            day=schedule.day,
            time=schedule.time,
            cron=cron,
            zone=zone,
        )

    @classmethod
    def read(cls, form: FormData) -> Self:
        """Return the fields of a form that was sent."""
        one = {name: forms.text(form, name) for name in NAMES if name != "days"}
        return cls(days=tuple(form.get("days", ())), **one)

    def checked(self, newsletter_zone: str) -> tuple[str, str]:
        """Return the cron expression and the time zone. Raises Malformed, naming the field of the form."""
        try:
            pattern = Pattern(self.pattern)
        except ValueError:
            raise Malformed("pattern", "Choose on which days issues are made.") from None
        days = tuple(day for day in (whole_numbers.parse(each, digits=1) for each in self.days) if day is not None)
        schedule = PlainSchedule(pattern=pattern, days=days, day=self.day, time=self.time, cron=self.cron)
        cron, zone = schedule.as_cron(), self.zone or newsletter_zone
        recurrence.check(cron, zone)
        return cron, zone

    def context(self, newsletter_zone: str, *, operator_zone: str, now: datetime) -> dict[str, Any]:
        """Return the context of the two templates: the fields, and the next runs or why there are none."""
        shown: dict[str, Any] = {
            "schedule": self,
            "weekday_names": WEEKDAY_NAMES,
            "month_days": MONTH_DAYS,
            "newsletter_zone": newsletter_zone,
            "words": None,
            "runs": [],
            "runs_zone": None,
            "other_zones": [],
            "schedule_error": None,
        }
        try:
            cron, zone = self.checked(newsletter_zone)
        except Malformed as error:
            return {**shown, "schedule_error": str(error)}
        words = str(DigestSchedule(((cron, zone),)))
        runs = planned_runs.planned(cron, zone, after=now, count=SHOWN_RUNS)
        others = planned_runs.other_clocks(runs, ["UTC", operator_zone])
        return {**shown, "words": words, "runs": runs, "runs_zone": zone, "other_zones": others}


def errors_of(fields: ScheduleFields, newsletter_zone: str) -> Mapping[str, str]:
    """Return what is wrong with the fields, by name; empty if nothing is."""
    try:
        fields.checked(newsletter_zone)
    except Malformed as error:
        return {error.field: str(error)}
    return {}
