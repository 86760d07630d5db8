"""Who changed what about one thing, from the audit log, in words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.audit_log import AuditEntry
from newsletter.operators.operators import Operator
from newsletter.web.desk.audit_sentences import PHRASES

SHOWN = 10  # changes of one thing
ACTORS = {audit_log.SCHEDULER: "the schedule", audit_log.WORKER: "a worker", audit_log.SITE: "the site"}
OPERATOR, COMMAND_LINE = "operator:", "cli:"
REDUNDANT = ("newsletter",)  # fields that the page tells anyway


@dataclass(frozen=True)
class ToldChange:
    """One entry of the audit log, as a page shows it."""

    at: datetime
    who: str
    what: str  # such as: changed the title of the feed
    facts: dict[str, Any]


def of(session: Session, subject: str, *, limit: int = SHOWN) -> list[ToldChange]:
    """Return the newest changes of a thing such as `feed:3`, the newest first."""
    newest = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id.desc()).limit(limit)
    entries = session.scalars(newest).all()
    names = actor_names(session, {entry.actor for entry in entries})
    return [ToldChange(entry.at, names[entry.actor], _what(entry), _facts(entry)) for entry in entries]


def actor_names(session: Session, actors: set[str]) -> dict[str, str]:
    """Return what a page calls the actors of the audit log, in one statement."""
    ids = [int(actor.removeprefix(OPERATOR)) for actor in actors if actor.startswith(OPERATOR)]
    rows = select(Operator.id, Operator.name, Operator.address).where(Operator.id.in_(ids))
    known = {f"{OPERATOR}{row.id}": row.name or row.address for row in session.execute(rows)} if ids else {}
    return {actor: known.get(actor) or _unnamed(actor) for actor in actors}


def _unnamed(actor: str) -> str:
    if actor.startswith(OPERATOR):
        return f"operator {actor.removeprefix(OPERATOR)} (removed)"
    if actor.startswith(COMMAND_LINE):
        return f"{actor.removeprefix(COMMAND_LINE)} at the command line"
    return ACTORS.get(actor, actor)


def _what(entry: AuditEntry) -> str:
    kind = entry.subject.partition(":")[0]
    participle = entry.verb.removeprefix(f"{kind} ")
    phrase = PHRASES.get(entry.verb) or (f"{participle} {{}}" if participle != entry.verb else entry.verb)
    return phrase.format(f"the {kind}")


def _facts(entry: AuditEntry) -> dict[str, Any]:
    facts = {name: value for name, value in entry.shown_fields.items() if value is not None and name not in REDUNDANT}
    return {name.replace("_", " "): value for name, value in facts.items()}
