"""Which letters one gets as an operator: a section of the page of one's own account."""

from typing import Any

from fastapi.responses import Response

from newsletter.mail.mailings.operator_notices import ROLES
from newsletter.operators import mail_switches, operators
from newsletter.operators.grants import Grants
from newsletter.operators.mail_switches import NoticeKind
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.site import Site

LABELS = {
    NoticeKind.ISSUE_WAITS: "An issue waits for approval",
    NoticeKind.ISSUE_PAUSED: "The service has paused an issue",
    NoticeKind.FEED_FAILING: "A feed has failed for a day",
}
NOTICES = {"mail-switched": "Your choice of letters is saved."}

router = DeskRouter()


def section(site: Site, operator: Operator, grants: Grants) -> dict[str, Any]:
    """Return what the section shows, for the context of the page: a switch for each letter that their role gets."""
    on = mail_switches.switched_on(operator)
    switches = [
        {"kind": kind.value, "label": label, "is_on": kind in on}
        for kind, label in LABELS.items()
        if grants.may_somewhere(ROLES[kind])
    ]
    return {"mail_switches": switches, "sends_mail": site.settings.service_sender is not None}


@router.action("/account/mail", Role.VIEWER, AccessScope.NOBODY)
def choose_mail(desk: CurrentDesk, form: PostedForm) -> Response:
    """Switch on the letters whose boxes are ticked, and the others of the page off."""
    who, ticked = desk.operator, form.get("on", ())
    shown = {kind for kind in NoticeKind if who.grants.may_somewhere(ROLES[kind])}
    with desk.site.database.writing() as session:
        operator = operators.numbered(session, who.operator_id, for_change=True)
        kept = mail_switches.switched_on(operator) - shown
        on = kept | {kind for kind in shown if kind.value in ticked}
        mail_switches.switch(session, operator, on, actor=who.actor, now=desk.site.now())
    return desk.done("/account", "mail-switched")
