"""The form of a digest: what was entered, whether it can be stored, and the values for the use cases."""

from dataclasses import dataclass, field
from typing import Any, Self

from newsletter.content.digests.digests import MAX_APPROVAL_HOURS, Digest, Rule, WhenLate
from newsletter.content.issues.issues import MAX_ARTICLES
from newsletter.web import whole_numbers
from newsletter.web.desk.digests import schedule_fields
from newsletter.web.desk.digests.schedule_fields import ScheduleFields
from newsletter.web.desk.frame import forms
from newsletter.web.form_data import FormData

APPROVE, AUTOMATIC = "approve", "automatic"
NEEDS_PUBLISHER = (
    "With this, issues leave without approval, and your role for this newsletter cannot approve them. Choose "
    "approval, or ask a publisher to change it."
)


@dataclass(frozen=True, kw_only=True)
class DigestFields:
    """The fields as they were entered, all of them text."""

    name: str
    articles: str
    send: str
    approve_within: str
    late: str
    archive: bool
    schedule: ScheduleFields = field(default_factory=ScheduleFields.default)

    @classmethod
    def default(cls) -> Self:
        """Return the form of a new digest."""
        rule = Rule(articles=12, send=APPROVE)
        return cls._of_rule(rule, "Digest", ScheduleFields.default())

    @classmethod
    def of(cls, digest: Digest) -> Self:
        """Return the form that shows a digest."""
        return cls._of_rule(Rule.read(digest.rule), digest.name, ScheduleFields.of(digest.cron, digest.zone))

    @classmethod
    def _of_rule(cls, rule: Rule, name: str, schedule: ScheduleFields) -> Self:
        return cls(
            name=name,
            articles=str(rule.articles),
            send=rule.send,
            approve_within=str(rule.approve_within),
            late=rule.late,
            archive=rule.archive,
            schedule=schedule,
        )

    @classmethod
    def read(cls, form: FormData) -> Self:
        """Return the fields of a form that was sent."""
        return cls(
            name=forms.text(form, "name"),
            articles=forms.text(form, "articles"),
            send=forms.text(form, "send"),
            approve_within=forms.text(form, "approve_within"),
            late=forms.text(form, "late"),
            archive=forms.text(form, "archive") == "yes",
            schedule=ScheduleFields.read(form),
        )

    def errors(self, newsletter_zone: str, *, may_be_automatic: bool) -> dict[str, str]:
        """Return everything that is wrong, by field, but for a name that another digest has."""
        found = {}
        if not self.name:
            found["name"] = "Enter a name. Only operators see it."
        found |= schedule_fields.errors_of(self.schedule, newsletter_zone)
        if not _is_number(self.articles, MAX_ARTICLES):
            found["articles"] = f"Enter a number of articles from 1 to {MAX_ARTICLES}."
        if self.send not in (APPROVE, AUTOMATIC):
            found["send"] = "Choose who approves the issues."
        elif self.send == AUTOMATIC and not may_be_automatic:
            found["send"] = NEEDS_PUBLISHER
        if not _is_number(self.approve_within, MAX_APPROVAL_HOURS):
            found["approve_within"] = f"Enter a number of hours from 1 to {MAX_APPROVAL_HOURS}."
        if self.late not in set(WhenLate):
            found["late"] = "Choose what happens when an issue is late."
        return found

    def rule(self) -> dict[str, Any]:
        """Return the fields of the Rule. Only for a form without errors."""
        return {
            "articles": int(self.articles),
            "send": self.send,
            "approve_within": int(self.approve_within),
            "late": self.late,
            "archive": self.archive,
        }


def _is_number(text: str, most: int) -> bool:
    return 1 <= (whole_numbers.parse(text) or 0) <= most
