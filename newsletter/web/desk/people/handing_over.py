"""Hand a new link over to an operator: by mail, or where the service has no sender, through the administrator."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.links import Purpose
from newsletter.mail.mailings import operator_letters
from newsletter.operators import operator_links
from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.operators import Operator
from newsletter.web.desk.frame.desk import Desk
from newsletter.web.site import Site

SHOWN_FOR = timedelta(minutes=15)  # to the administrator who made it


def make(desk: Desk, session: Session, operator: Operator) -> tuple[OperatorLink, bool]:
    """Make a link that lets an operator choose a password; return it, and whether it is mailed."""
    site, now = desk.site, desk.site.now()
    purpose = operator_links.purpose_for(operator)
    link = operator_links.make(session, operator, purpose, actor=desk.operator.actor, now=now)
    return link, operator_letters.owe_link(
        session, link, operator, templates=site.templates, settings=site.settings, now=now
    )


def shown(site: Site, link: OperatorLink | None, *, now: datetime) -> str | None:
    """Return the address of a link that was just made, for an administrator to hand over; None if letters do that."""
    is_new = link is not None and link.is_open(now=now) and now < link.created_at + SHOWN_FOR
    if site.settings.service_sender or not is_new or not link:
        return None
    return site.links.url(Purpose.OPERATOR_LINK, link.id)
