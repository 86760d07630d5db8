"""Change, pause, resume and remove a digest, and draft its next issue now."""

from contextlib import suppress

from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select

from newsletter.content.digests import digests, drafting, editing
from newsletter.content.digests.digests import Digest, Rule
from newsletter.content.digests.drafting import NothingNew
from newsletter.content.issues.issues import Issue
from newsletter.errors import Malformed, NotFound
from newsletter.operators.roles import Role
from newsletter.web.desk.digests import one_digest
from newsletter.web.desk.digests.digest_fields import DigestFields
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.action("/digests/{digest_id}", Role.EDITOR)
def change(desk: CurrentDesk, digest_id: int, form: PostedForm) -> Response:
    """Store the form, or show the next runs of its schedule without storing anything."""
    fields = DigestFields.read(form)
    with desk.site.database.reading() as session:
        digest, reader = digests.numbered(session, digest_id)
        # A digest that is automatic already may stay so when an editor changes something else.
        may_be_automatic = desk.operator.may(Role.PUBLISHER, reader.id) or Rule.read(digest.rule).is_automatic
        errors = fields.errors(reader.zone, may_be_automatic=may_be_automatic)
        if "show" in form:
            return one_digest.page(desk, session, digest_id, entered=fields)
        if errors:
            return one_digest.page(desk, session, digest_id, entered=fields, errors=errors)
        is_changed = fields != DigestFields.of(digest)
    try:
        if is_changed:
            _change(desk, digest_id, fields)
    except Malformed as error:
        with desk.site.database.reading() as session:
            return one_digest.page(desk, session, digest_id, entered=fields, errors={error.field: str(error)})
    return desk.done(f"/digests/{digest_id}", "changed")


@router.action("/digests/{digest_id}/pause", Role.EDITOR)
def pause(desk: CurrentDesk, digest_id: int) -> Response:
    """Pause the digest; a paused one stays so."""
    with desk.site.database.writing() as session:
        if digests.numbered(session, digest_id)[0].active:
            editing.pause(session, digest_id, actor=desk.operator.actor, now=desk.site.now())
    return desk.done(f"/digests/{digest_id}", "paused")


@router.action("/digests/{digest_id}/resume", Role.EDITOR)
def resume(desk: CurrentDesk, digest_id: int) -> Response:
    """Resume the digest; a running one stays so."""
    with desk.site.database.writing() as session:
        if not digests.numbered(session, digest_id)[0].active:
            editing.resume(session, digest_id, actor=desk.operator.actor, now=desk.site.now())
    return desk.done(f"/digests/{digest_id}", "resumed")


@router.action("/digests/{digest_id}/draft", Role.EDITOR)
def draft_now(desk: CurrentDesk, digest_id: int, form: PostedForm) -> Response:
    """Draft the next issue now, which an operator approves. Pressing twice drafts one issue."""
    try:
        with desk.site.database.writing() as session:
            session.get(Digest, digest_id, with_for_update=True)
            digest, _ = digests.numbered(session, digest_id)
            if forms.text(form, "drafted_until") != digest.drafted_until.isoformat():
                # Somebody has drafted it since the page was shown.
                newest = select(Issue.id).where(Issue.digest_id == digest_id).order_by(Issue.id.desc()).limit(1)
                issue_id = session.scalar(newest)
            else:
                actor = desk.operator.actor
                issue_id = drafting.draft_now(session, digest_id, actor=actor, now=desk.site.now()).id
    except NothingNew as error:
        with desk.site.database.reading() as session:
            return one_digest.page(desk, session, digest_id, refusal=str(error))
    return desk.done(f"/issues/{issue_id}" if issue_id else f"/digests/{digest_id}")


@router.page("/digests/{digest_id}/remove", Role.EDITOR)
def ask_to_remove(desk: CurrentDesk, session: ReadingSession, digest_id: int) -> HTMLResponse:
    """Say what stays before a digest is removed."""
    digest, reader = digests.numbered(session, digest_id)
    return desk.page("digests/remove", digest=digest, reader=reader)


@router.action("/digests/{digest_id}/remove", Role.EDITOR)
def remove(desk: CurrentDesk, digest_id: int) -> Response:
    """Remove the digest; one that was removed already stays so."""
    with suppress(NotFound), desk.site.database.writing() as session:
        editing.remove(session, digest_id, actor=desk.operator.actor, now=desk.site.now())
    return desk.done("/digests", "removed")


def _change(desk: Desk, digest_id: int, fields: DigestFields) -> None:
    with desk.site.database.writing() as session:
        digest, reader = digests.numbered(session, digest_id)
        cron, zone = fields.schedule.checked(reader.zone)
        wanted = {"name": fields.name, "cron": cron, "zone": zone, **fields.rule()}
        stored = {"name": digest.name, "cron": digest.cron, "zone": digest.zone, **vars(Rule.read(digest.rule))}
        if wanted != {name: stored[name] for name in wanted}:  # another spelling of the same schedule changes nothing
            editing.change(
                session,
                digest_id,
                name=fields.name,
                cron=cron,
                zone=zone,
                rule=fields.rule(),
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
