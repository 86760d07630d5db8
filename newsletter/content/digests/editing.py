"""Change, pause, resume and remove digests. No change makes up for runs that were missed before it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter.content.digests import digests, recurrence
from newsletter.content.digests.digests import MAX_NAME, Digest, Rule
from newsletter.errors import Refused
from newsletter.newsletters import Newsletter


def change(
    session: Session,
    digest_id: int,
    *,
    name: str | None = None,
    cron: str | None = None,
    zone: str | None = None,
    rule: Mapping[str, Any] | None = None,
    actor: str,
    now: datetime,
) -> Digest:
    """Change what is given of a digest; `rule` holds fields of its Rule. Issues that exist stay as they are.

    After a change of the schedule, the next run is the first of the new schedule that is still to come. Raises
    Malformed, naming the field, for a bad value, and Refused if nothing would change.
    """
    digest, newsletter = _locked(session, digest_id)
    new_rule = replace(Rule.read(digest.rule), **(rule or {}))
    wanted = {
        "name": name.strip() if name is not None else digest.name,
        "cron": " ".join(cron.split()) if cron is not None else digest.cron,
        "zone": zone if zone is not None else digest.zone,
        **asdict(new_rule),
    }
    before = {"name": digest.name, "cron": digest.cron, "zone": digest.zone, **asdict(Rule.read(digest.rule))}
    changed = {field: value for field, value in wanted.items() if value != before[field]}
    if not changed:
        raise Refused(f"Digest {digest.id} is like that already.")
    digests.check_rule(new_rule)
    if "name" in changed:
        digest.name = digests.free_name(session, newsletter, changed["name"])
    if changed.keys() & {"cron", "zone"}:
        recurrence.check(wanted["cron"], wanted["zone"])
        digest.cron, digest.zone = wanted["cron"], wanted["zone"]
        _forget_missed_runs(digest, now)
    digest.rule = {**digest.rule, **asdict(new_rule)}  # keys of a newer release stay
    digests.log_change(session, digest, "changed", actor=actor, now=now, **changed)
    return digest


def pause(session: Session, digest_id: int, *, actor: str, now: datetime) -> Digest:
    """Pause a digest: it drafts nothing, and visitors do not read of its schedule. Raises Refused if it is paused."""
    digest, _ = _locked(session, digest_id)
    if not digest.active:
        raise Refused(f"Digest {digest.id} is paused already.")
    digest.active = False
    digests.log_change(session, digest, "paused", actor=actor, now=now)
    return digest


def resume(session: Session, digest_id: int, *, actor: str, now: datetime) -> Digest:
    """Resume a paused digest at its next run; runs missed meanwhile stay missed. Raises Refused if it is not paused."""
    digest, _ = _locked(session, digest_id)
    if digest.active:
        raise Refused(f"Digest {digest.id} is not paused.")
    digest.active = True
    _forget_missed_runs(digest, now)
    digests.log_change(session, digest, "resumed", actor=actor, now=now)
    return digest


def remove(session: Session, digest_id: int, *, actor: str, now: datetime) -> Digest:
    """Remove a digest. Its name is free again, and its row stays for its issues, which are not changed."""
    digest, _ = _locked(session, digest_id)
    name = digest.name
    digest.active = False  # the release before knows only this
    digest.rule = {**digest.rule, "removed_at": now.isoformat()}
    suffix = f" (removed, {digest.id})"
    digest.name = name[: MAX_NAME - len(suffix)] + suffix
    digests.log_change(session, digest, "removed", actor=actor, now=now, name=name)
    return digest


def _locked(session: Session, digest_id: int) -> tuple[Digest, Newsletter]:
    """Return the digest and its newsletter, locked against a worker that drafts its run meanwhile."""
    session.get(Digest, digest_id, with_for_update=True, populate_existing=True)
    return digests.numbered(session, digest_id)


def _forget_missed_runs(digest: Digest, now: datetime) -> None:
    digest.last_run_at = max(digest.last_run_at or now, now)
