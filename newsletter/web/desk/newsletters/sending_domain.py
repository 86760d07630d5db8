"""The domain that a newsletter is sent from: what a worker found in the DNS, and what to publish there."""

from fastapi.responses import HTMLResponse, Response

from newsletter import newsletters
from newsletter.doctor.domains import domain_checks
from newsletter.doctor.domains.domain_examiner import domains_of
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/newsletters/{slug}/domain", Role.VIEWER)
def domain_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the findings of the last check. While another one is asked for, the page looks again by itself."""
    newsletter = desk.newsletter
    check = domain_checks.last(session, [newsletter.id]).get(newsletter.id)
    return desk.page(
        "newsletters/domain",
        newsletter=newsletter,
        domains=domains_of(newsletter),
        check=check,
        verdicts=check.found_by(sees_service=desk.operator.may(Role.VIEWER)) if check else [],
        is_of_another_domain=bool(check and check.checked_at and not check.is_about(newsletter)),
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
        may_ask=desk.operator.may(Role.EDITOR, newsletter.id),
    )


@router.action("/newsletters/{slug}/domain", Role.EDITOR)
def ask_for_check(slug: str, desk: CurrentDesk) -> Response:
    """Ask a worker to check the domain."""
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        domain_checks.request(session, newsletter.id, now=desk.site.now())
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/newsletters/{slug}/domain")
