"""The audit log: who changed what, filtered by person, subject, newsletter and period."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.newsletters import Newsletter
from newsletter.operators import audit_search, operators
from newsletter.operators.audit_search import COMMAND_LINE, AuditFilter
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk import audit_names, audit_sentences, changes
from newsletter.web.desk.audit_sentences import ToldEntry
from newsletter.web.desk.frame.access import AccessScope, DeskRouter, routes_of
from newsletter.web.desk.frame.desk import CurrentDesk, Department, Desk
from newsletter.web.site import ReadingSession

DEPARTMENT = Department("Audit log", "/desk/audit-log")
SUBJECTS = {
    "issues": "Issues",
    "digests": "Digests",
    "feeds": "Feeds",
    "newsletters": "Newsletters",
    "consent": "Consent wordings and forms",
    "readers": "Readers",
    "operators": "Operators",
    "doctor": "Repairs",
}
AUTOMATIC = {audit_log.SCHEDULER: "The schedule", audit_log.WORKER: "The workers", audit_log.SITE: "The site"}

router = DeskRouter()


class PickedFilter(NamedTuple):
    """The filter as the form shows it."""

    who: str
    what: str
    newsletter: str
    since: str
    until: str

    @property
    def query(self) -> str:
        """The query string of the page, without what is empty."""
        return urlencode({name: value for name, value in self._asdict().items() if value})


@dataclass(frozen=True)
class AskedPage:
    """What the page was asked for, and what is wrong with it."""

    wanted: AuditFilter
    errors: dict[str, str]


@router.page("/audit-log", Role.VIEWER, AccessScope.SOMEWHERE)
def audit_page(
    desk: CurrentDesk,
    session: ReadingSession,
    who: str = "",
    what: str = "",
    newsletter: str = "",
    since: str = "",
    until: str = "",
    before: str = "",
) -> HTMLResponse:
    """Show the entries that fit, newest first."""
    picked = PickedFilter(
        *(each.strip() if each.isprintable() else "" for each in (who, what, newsletter, since, until))
    )
    visible = [each for each in newsletters.every(session) if desk.operator.may(Role.VIEWER, each.id)]
    asked = _asked(picked, visible, desk.operator.zone)
    number = whole_numbers.parse(before)
    page = audit_search.page(session, desk.operator.grants, asked.wanted, before=number)
    return desk.page(
        "audit",
        told=told(desk, session, page.entries),
        older=page.older,
        is_first=number is None,
        picked=picked,
        errors=asked.errors,
        actors=_actors(desk, session, picked.who),
        subjects=SUBJECTS,
        newsletters=visible,
        scanned=audit_search.MAX_SCANNED,
    )


def _asked(picked: PickedFilter, visible: Sequence[Newsletter], zone: str) -> AskedPage:
    errors: dict[str, str] = {}
    wanted = AuditFilter(actor=picked.who or None, subject=picked.what if picked.what in SUBJECTS else None)
    if picked.newsletter:
        found = next((each.id for each in visible if each.slug == picked.newsletter), None)
        if found is None:
            errors["newsletter"] = "There is no such newsletter here; these are the entries of all."
        wanted = replace(wanted, newsletter_id=found)
    times: dict[str, datetime | None] = {"since": None, "until": None}
    for name in times:
        try:
            times[name] = _midnight(getattr(picked, name), zone, days=int(name == "until"))
        except (ValueError, OverflowError):
            errors[name] = f"“{getattr(picked, name)}” is not a day. Enter one like 2026-03-31."
    wanted = replace(wanted, since=times["since"], until=times["until"])
    return AskedPage(wanted, errors)


def _midnight(day: str, zone: str, *, days: int) -> datetime | None:
    """Return when a day begins in a zone, or the day after it. Raises ValueError, or OverflowError in the year 9999."""
    if not day:
        return None
    return datetime.combine(date.fromisoformat(day) + timedelta(days=days), time(), ZoneInfo(zone))


def told(desk: Desk, session: Session, entries: Sequence[audit_log.AuditEntry]) -> list[ToldEntry]:
    """Return entries as sentences for this operator, with links to the pages that they may open."""
    routes = {route.path for route in routes_of(desk.request.app.router) if "GET" in (route.methods or ())}
    if not desk.operator.may(Role.ADMIN):
        routes.discard(audit_names.PATHS["operator"])
    every = newsletters.every(session)
    things = audit_names.named(session, {each.subject for each in entries}, pages=routes, newsletters=every)
    visible = {each.slug: each.name for each in every if desk.operator.may(Role.VIEWER, each.id)}
    who = changes.actor_names(session, {each.actor for each in entries})
    return [audit_sentences.tell(each, who[each.actor], things[each.subject], visible) for each in entries]


def _actors(desk: Desk, session: Session, chosen: str) -> dict[str, str]:
    """Return who can be chosen. Only who sees the whole service is shown all operators."""
    me = desk.operator
    people = {me.actor: f"{me.name} (you)"}
    if me.may(Role.VIEWER):
        others = (each for each in operators.every(session) if each.id != me.operator_id)
        people |= {f"operator:{each.id}": each.name or each.address for each in others}
    known = {**people, COMMAND_LINE: "Commands on the server", **AUTOMATIC}
    return known if not chosen or chosen in known else {**known, chosen: chosen.replace(":", " ")}
