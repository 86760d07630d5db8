"""The last step: a test letter to oneself, and what the first issue would hold."""

from datetime import timedelta

from fastapi.responses import HTMLResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests import next_issue
from newsletter.content.digests.digests import Digest
from newsletter.content.digests.next_issue import NextIssue
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.mail.mailings import probes
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk import near_times
from newsletter.web.desk.first_steps import screens
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.site import ReadingSession

NOTICES = {"digest-added": "The digest is added. Last, see how a letter arrives."}
MAX_AN_HOUR = 10  # test letters of a newsletter from this screen

router = DeskRouter()


@router.page("/start/{slug}/letter", Role.EDITOR)
def letter_form(desk: CurrentDesk, session: ReadingSession, slug: str) -> HTMLResponse:
    """Show what the first issue would hold, and the button."""
    return _page(desk, session, newsletters.named(session, slug))


@router.action("/start/{slug}/letter", Role.EDITOR)
def send(desk: CurrentDesk, slug: str) -> Response:
    """Send a test letter to the operator's own address, and go on to Today."""
    now = desk.site.now()
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        newsletters.lock(session, newsletter.id)  # or two requests at once would both be the tenth
        recent = select(func.count()).where(Letter.kind == LetterKind.TEST, Letter.newsletter_id == newsletter.id)
        is_over = (session.scalar(recent.where(Letter.written_at > now - timedelta(hours=1))) or 0) >= MAX_AN_HOUR
        if not is_over:
            probes.write(
                session,
                newsletter,
                desk.operator.address,
                templates=desk.site.templates,
                base_url=desk.site.settings.base_url,
                actor=desk.operator.actor,
                now=now,
            )
    if is_over:
        error = f"{MAX_AN_HOUR} test letters were sent in the last hour. Wait a little before you send another one."
        with desk.site.database.reading() as session:
            return _page(desk, session, newsletters.named(session, slug), error=error, status=429)
    desk.site.wakeups.wake(Queue.URGENT)
    return desk.done("", "test-sent")


def _page(
    desk: Desk, session: Session, newsletter: Newsletter, *, error: str | None = None, status: int = 200
) -> HTMLResponse:
    active = select(Digest).where(Digest.newsletter_id == newsletter.id, Digest.active).order_by(Digest.id).limit(1)
    digest, now = session.scalar(active), desk.site.now()
    would_hold: NextIssue | None = next_issue.preview(session, digest.id, now=now) if digest else None
    return desk.page(
        "first_steps/letter",
        status=status,
        notices=NOTICES,
        newsletter=newsletter,
        digest=digest,
        would_hold=would_hold,
        error=error,
        screens=screens.shown(newsletter.slug, "letter"),
        in_a_table=lambda moment: near_times.in_a_table(moment, zone=desk.operator.zone, now=now),
    )
