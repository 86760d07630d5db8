"""End one's own sessions: one of them, or all but this one."""

from fastapi.responses import Response

from newsletter.errors import Malformed
from newsletter.operators import sessions
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.frame.forms import PostedForm, text

router = DeskRouter()


@router.action("/account/sessions/end", Role.VIEWER, AccessScope.NOBODY)
def end_session(desk: CurrentDesk, form: PostedForm) -> Response:
    """End one session."""
    number = whole_numbers.parse(text(form, "session"))
    if number is None:
        raise Malformed("session", "Choose a device from the list on your account's page.")
    with desk.site.database.writing() as session:
        ended = sessions.end(session, desk.operator.operator_id, only=number, now=desk.site.now())
    return desk.done("/account", "ended" if ended else "not-ended")


@router.action("/account/sessions/end-others", Role.VIEWER, AccessScope.NOBODY)
def end_other_sessions(desk: CurrentDesk) -> Response:
    """End all sessions but this one."""
    who = desk.operator
    with desk.site.database.writing() as session:
        sessions.end(session, who.operator_id, besides=who.session_id, now=desk.site.now())
    return desk.done("/account", "others-ended")
