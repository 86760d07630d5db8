"""One newsletter: what it is, what visitors and readers see of it, and who changed what."""

from fastapi.responses import HTMLResponse

from newsletter.consent.decisions import leaving_reasons
from newsletter.consent.decisions.leaving_reasons import ReasonToLeave
from newsletter.consent.wordings import wording_publication
from newsletter.doctor.domains import domain_checks
from newsletter.languages.languages import english_name
from newsletter.operators.roles import Role
from newsletter.web.desk import audit
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.newsletters import last_changes, listing
from newsletter.web.site import ReadingSession

NOTICES = {
    "added": "The newsletter is added. Next: read its words of consent, then add a feed and a digest.",
}
REASONS = {
    ReasonToLeave.TOO_MANY: "Too many letters",
    ReasonToLeave.NOT_EXPECTED: "Not what they expected",
    ReasonToLeave.NEVER_SIGNED_UP: "Never signed up",
    ReasonToLeave.OTHER: "Another reason",
}

router = DeskRouter()


@router.page("/newsletters/{slug}", Role.VIEWER)
def newsletter_page(slug: str, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show a newsletter."""
    newsletter = desk.newsletter
    missing = wording_publication.missing_languages(session, newsletter)
    return desk.page(
        "newsletters/overview",
        notices=NOTICES,
        newsletter=newsletter,
        readers=listing.reader_counts(session, [newsletter.id]).get(newsletter.id),
        next_issue=listing.next_issue_times(session, [newsletter.id], now=desk.site.now()).get(newsletter.id),
        languages=[(tag, english_name(tag), tag not in missing) for tag in newsletter.languages],
        domain=domain_checks.last(session, [newsletter.id]).get(newsletter.id),
        told=audit.told(desk, session, last_changes.of(session, newsletter)),
        leaving=leaving_reasons.summary(session, newsletter.id, now=desk.site.now()),
        reasons=REASONS,
        page_url=f"{desk.site.settings.base_url}/n/{slug}",
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
    )
