"""Sign in and out."""

from fastapi.responses import HTMLResponse, Response

from newsletter.operators import sessions
from newsletter.operators.roles import Role
from newsletter.web.desk.frame import origin
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk

router = DeskRouter()


@router.page("/sign-in", Role.VIEWER, AccessScope.OPEN)
def sign_in_page(desk: CurrentDesk) -> HTMLResponse:
    """Show the form."""
    return desk.page("sign_in")


@router.action("/sign-out", Role.VIEWER, AccessScope.NOBODY)
def sign_out(desk: CurrentDesk) -> Response:
    """End this session."""
    with desk.site.database.writing() as session:
        sessions.end(session, desk.operator.operator_id, only=desk.operator.session_id, now=desk.site.now())
    answer = desk.done("/sign-in", "signed-out")
    origin.set_cookie(answer, desk.site, origin.SESSION, "")
    return answer
