"""Search the audit log, newest entry first, among the entries that an operator may see.

The log only grows, so a page reads a bounded part of it: the newest entries of an index, and of these the ones that
fit. If none of them fits, the next page goes on where this one ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select, true, union_all
from sqlalchemy.orm import Session, aliased

from newsletter.audit_log import AuditEntry
from newsletter.operators.grants import Grants
from newsletter.operators.roles import Role

PAGE_ROWS = 50
MAX_SCANNED = 2_000  # entries that a page reads to find those that fit
DISORDER_ROWS, DISORDER = 200, timedelta(hours=1)  # by how much the order of ids may differ from that of times

# What entries are about, with the beginnings of their verbs.
SUBJECTS: Mapping[str, Sequence[str]] = {
    "issues": ("issue ",),
    "digests": ("digest ",),
    "feeds": ("feed",),
    "newsletters": ("newsletter ", "probe ", "test "),
    "consent": ("wording ", "form "),
    "readers": ("subscriptions ", "letter allowed"),
    "operators": ("operator", "second factor ", "recovery code"),
    "doctor": ("doctor ",),
}
AuditCondition = Callable[[type[AuditEntry]], ColumnElement[bool]]

COMMAND_LINE = "cli"  # everybody who used commands


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are wanted; what is None does not matter."""

    actor: str | None = None  # such as `operator:3`, or COMMAND_LINE
    subject: str | None = None  # a key of SUBJECTS
    newsletter_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive


@dataclass(frozen=True)
class AuditPage:
    """Some entries, newest first; `older` is what the next page is `before`, None if this is the last one."""

    entries: Sequence[AuditEntry]
    older: int | None


def page(
    session: Session, grants: Grants, wanted: AuditFilter, *, before: int | None = None, limit: int = PAGE_ROWS
) -> AuditPage:
    """Return the newest entries that fit, with ids lower than `before`."""
    if wanted.until:
        before = _not_after(session, wanted.until, before)
    numbers = _visible(grants, wanted)
    conditions = _conditions(wanted, everywhere=numbers is None)
    most = MAX_SCANNED if conditions else limit + 1
    window = _window(numbers, wanted, before, most).subquery()
    entry = aliased(AuditEntry, window)
    fitting = select(entry).where(*(condition(entry) for condition in conditions))
    found = session.scalars(fitting.order_by(entry.id.desc()).limit(limit + 1)).all()
    if len(found) > limit:
        return AuditPage(found[:limit], found[limit - 1].id)
    if not conditions:
        return AuditPage(found, None)
    n, first, began = session.execute(select(func.count(), func.min(window.c.id), func.min(window.c.at))).one()
    is_over = n < most or (wanted.since is not None and began < wanted.since - DISORDER)
    return AuditPage(found, None if is_over else first)


def newest(session: Session, wanted: AuditFilter, *, limit: int) -> list[AuditEntry]:
    """Return the newest entries that fit, newest first, at most `limit`, however many must be read to find them."""
    found: list[AuditEntry] = []
    before: int | None = None
    while len(found) < limit:
        part = page(session, Grants(Role.VIEWER), wanted, before=before, limit=limit - len(found))
        found, before = [*found, *part.entries], part.older
        if before is None:
            break
    return found


def _visible(grants: Grants, wanted: AuditFilter) -> frozenset[int] | None:
    """Return the newsletters whose entries are read; None: all entries, also those of the service."""
    numbers = grants.newsletters()
    if wanted.newsletter_id is None:
        return numbers
    return frozenset({wanted.newsletter_id} if numbers is None or wanted.newsletter_id in numbers else ())


def _window(numbers: frozenset[int] | None, wanted: AuditFilter, before: int | None, most: int) -> Select[Any]:
    """Return the newest entries that one index finds: by actor, by newsletter, or all."""
    if numbers is None:
        by_actor = wanted.actor and wanted.actor != COMMAND_LINE
        return _newest(AuditEntry.actor == wanted.actor if by_actor else true(), before, most)
    if not numbers:
        return _newest(false(), before, most)
    each = (_newest(AuditEntry.newsletter_id == number, before, most).subquery() for number in sorted(numbers))
    every = union_all(*(select(one) for one in each)).subquery()
    return select(every).order_by(every.c.id.desc()).limit(most)


def _newest(found: ColumnElement[bool], before: int | None, most: int) -> Select[Any]:
    entries = select(AuditEntry).where(found).order_by(AuditEntry.id.desc()).limit(most)
    return entries.where(AuditEntry.id < before) if before is not None else entries


def _conditions(wanted: AuditFilter, *, everywhere: bool) -> list[AuditCondition]:
    """Return what no index finds."""
    conditions: list[AuditCondition] = []
    if wanted.actor == COMMAND_LINE:
        conditions.append(lambda entry: entry.actor.startswith(f"{COMMAND_LINE}:"))
    elif wanted.actor and not everywhere:
        conditions.append(lambda entry: entry.actor == wanted.actor)
    if beginnings := SUBJECTS.get(wanted.subject or "", ()):
        conditions.append(lambda entry: or_(*(entry.verb.startswith(each) for each in beginnings)))
    if since := wanted.since:
        conditions.append(lambda entry: entry.at >= since)
    if until := wanted.until:
        conditions.append(lambda entry: entry.at < until)
    return conditions


def _not_after(session: Session, until: datetime, before: int | None) -> int:
    """Return an id that is higher than those of all entries before this time, but hardly higher."""
    last = select(AuditEntry.id).where(AuditEntry.at < until).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    bound = (session.scalar(last.limit(1)) or 0) + DISORDER_ROWS
    return bound if before is None else min(bound, before)
