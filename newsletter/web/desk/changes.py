"""Who changed what about one thing, from the audit log, in words."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.audit_log import AuditEntry
from newsletter.newsletters import Newsletter
from newsletter.operators.operators import Operator
from newsletter.web.desk import audit_sentences
from newsletter.web.desk.audit_names import NamedThing
from newsletter.web.desk.audit_sentences import ToldEntry

SHOWN = 10  # changes of one thing
ACTORS = {audit_log.SCHEDULER: "the schedule", audit_log.WORKER: "a worker", audit_log.SITE: "the site"}
OPERATOR, COMMAND_LINE = "operator:", "cli:"


def of(session: Session, newsletter: Newsletter, subject: str, *, limit: int = SHOWN) -> list[ToldEntry]:
    """Return the newest changes of a thing of a newsletter, such as `feed:3`, the newest first, for its own page."""
    newest = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id.desc()).limit(limit)
    entries = session.scalars(newest).all()
    names = actor_names(session, {entry.actor for entry in entries})
    kind = subject.partition(":")[0]
    thing, known = NamedThing(kind, f"the {kind}"), {newsletter.slug: newsletter.name}
    return [audit_sentences.tell(each, names[each.actor], thing, known) for each in entries]


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
