"""The list of digests: what each does in words, and when it drafts its next issue."""

from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse

from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest, Rule
from newsletter.content.digests.explanation import DigestSchedule
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.site import ReadingSession

NOTICES = {"removed": "The digest is removed. Its issues stay, drafts too."}

router = DeskRouter()


@router.page("/digests", Role.VIEWER, AccessScope.SOMEWHERE)
def listed(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """List the digests of the operator's newsletters."""
    grants, now = desk.operator.grants, desk.site.now()
    rows = [row(digest, of, now=now) for digest, of in digests.every(session, grants.among(Digest.newsletter_id))]
    running = [each for each in rows if each["active"]]
    coming = [each["next"].at for each in running if each["next"]]
    return desk.page(
        "digests/list",
        notices=NOTICES,
        rows=rows,
        running=len(running),
        next_at=min(coming, default=None),
        may_add=grants.may_somewhere(Role.EDITOR),
    )


def row(digest: Digest, newsletter: Newsletter, *, now: datetime) -> dict[str, Any]:
    """Return a digest as lists show it."""
    runs = digests.upcoming(digest, now=now, count=1) if digest.active else []
    return {
        "id": digest.id,
        "name": digest.name,
        "newsletter": newsletter.name,
        "zone": digest.zone,
        "active": digest.active,
        "rule": Rule.read(digest.rule),
        "words": str(DigestSchedule(((digest.cron, digest.zone),))).removesuffix("."),
        "next": runs[0] if runs else None,
        "last_run_at": digest.last_run_at,
    }
