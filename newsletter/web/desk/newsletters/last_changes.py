"""The last entries of the audit log about a newsletter, in words."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.audit_log import SCHEDULER, SITE, WORKER, AuditEntry
from newsletter.consent import wordings
from newsletter.newsletters import Newsletter
from newsletter.operators.operators import Operator

SHOWN = 10
BY_ITSELF = {SCHEDULER: "The scheduler", WORKER: "A worker", SITE: "The site"}


class LastChange(NamedTuple):
    """One entry."""

    at: datetime
    who: str
    what: str


def of(session: Session, newsletter: Newsletter, *, limit: int = SHOWN) -> list[LastChange]:
    """Return the newest entries about a newsletter, the newest first."""
    # Entries of the releases before name no newsletter, but those about itself have it as their subject.
    either = AuditEntry.newsletter_id == newsletter.id, AuditEntry.subject == f"newsletter:{newsletter.slug}"
    found = {
        entry.id: entry
        for about in either
        for entry in session.scalars(select(AuditEntry).where(about).order_by(AuditEntry.id.desc()).limit(limit))
    }
    newest = sorted(found.values(), key=lambda entry: entry.id, reverse=True)[:limit]
    names = operator_names(session, [entry.actor for entry in newest])
    return [LastChange(entry.at, who(entry.actor, names), _what(entry)) for entry in newest]


def operator_names(session: Session, actors: list[str]) -> dict[str, str]:
    """Return the names of the operators among these actors, by actor."""
    ids = {int(number) for kind, _, number in (actor.partition(":") for actor in actors) if kind == "operator"}
    chosen = select(Operator).where(Operator.id.in_(sorted(ids)))
    return {f"operator:{each.id}": each.name or each.address for each in session.scalars(chosen)} if ids else {}


def who(actor: str, names: dict[str, str]) -> str:
    """Return an actor in words."""
    kind, _, name = actor.partition(":")
    if kind == "operator":
        return names.get(actor, f"A former operator ({name})")
    return f"{name}, on the command line" if kind == "cli" else BY_ITSELF.get(actor, actor)


def _what(entry: AuditEntry) -> str:
    match entry.verb:
        case "newsletter changed":
            changed = [_field(name) for name in entry.fields if f"{name}_before" in entry.fields]
            return f"changed {', '.join(changed)}"
        case wordings.PUBLISHED:
            version, tag = entry.fields.get("version"), entry.fields.get("language")
            return f"published version {version} of the words of consent ({tag})"
    noun, _, verb = entry.verb.rpartition(" ")
    return f"{verb} the {noun}" if noun and _is_plain(entry) else f"{entry.verb}, {entry.subject.replace(':', ' ')}"


def _is_plain(entry: AuditEntry) -> bool:
    return entry.subject.startswith("newsletter:")


def _field(name: Any) -> str:
    return str(name).removesuffix("_sha256").replace("_", " ")
