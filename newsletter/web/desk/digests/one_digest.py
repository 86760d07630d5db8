"""One digest: when it runs, what its next issue would hold and why, and its form."""

from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.content.digests import digests, next_issue
from newsletter.content.issues.issues import Issue
from newsletter.operators.roles import Role
from newsletter.web.desk import changes
from newsletter.web.desk.digests import overview
from newsletter.web.desk.digests.digest_fields import DigestFields
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.site import ReadingSession

NOTICES = {
    "added": "The digest is added. It drafts its first issue at the time below.",
    "changed": "Saved. The next issue follows the new rule; issues that exist stay as they are.",
    "paused": "The digest is paused. It drafts nothing until you resume it; issues that exist stay.",
    "resumed": "The digest is resumed. Runs that were missed meanwhile stay missed.",
}

router = DeskRouter()


@router.page("/digests/{digest_id}", Role.VIEWER)
def shown(desk: CurrentDesk, session: ReadingSession, digest_id: int) -> HTMLResponse:
    """Show everything about one digest."""
    return page(desk, session, digest_id)


def page(
    desk: Desk,
    session: Session,
    digest_id: int,
    *,
    entered: DigestFields | None = None,
    errors: dict[str, str] | None = None,
    refusal: str | None = None,
) -> HTMLResponse:
    """Return the page of a digest, with its form as it was entered. Raises NotFound for a removed one."""
    now = desk.site.now()
    digest, reader = digests.numbered(session, digest_id)
    fields = entered or DigestFields.of(digest)
    last = select(Issue.id, Issue.title, Issue.status, Issue.run_at).where(Issue.digest_id == digest.id)
    return desk.page(
        "digests/digest",
        status=409 if refusal else None,
        notices=NOTICES,
        reader=reader,
        digest=overview.row(digest, reader, now=now),
        drafted_until=digest.drafted_until.isoformat(),
        issue=next_issue.preview(session, digest.id, now=now, newest=next_issue.NEWEST),
        last=session.execute(last.order_by(Issue.run_at.desc()).limit(1)).one_or_none(),
        changes=changes.of(session, reader, f"digest:{digest.id}"),
        may_edit=desk.operator.may(Role.EDITOR, reader.id),
        may_be_automatic=desk.operator.may(Role.PUBLISHER, reader.id),
        fields=fields,
        name_characters=digests.MAX_NAME,
        errors=errors,
        refusal=refusal,
        **fields.schedule.context(reader.zone, operator_zone=desk.operator.zone, now=now),
    )
