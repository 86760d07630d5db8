"""Go on after signing in: to the page that was wanted, or with the form whose session had ended."""

from fastapi.responses import HTMLResponse, Response

from newsletter.operators.sessions import SessionStage
from newsletter.web.desk.access import carried_forms, entering
from newsletter.web.desk.access.entering import Entrance
from newsletter.web.desk.frame.desk import Desk
from newsletter.web.desk.frame.signed_in import signed_in


def lead_in(desk: Desk, entrance: Entrance, to: str, carried: str) -> Response:
    """Return the answer after a step of the sign-in.

    A form that is carried stands in the answer itself, for a redirect could not take it along: a reload signs in again.
    """
    if not carried:
        return entering.lead_in(desk.request, desk.site, entrance, to)
    site = desk.site
    if entrance.stage is not SessionStage.FULL:
        answer = desk.page("second_factor", to=to, carried=carried, address=entrance.address)
    else:
        with site.database.reading() as session:
            who = signed_in(session, site, entrance.token)
        assert who
        answer = resumed(Desk(desk.request, site, who), to, carried)
    entering.set_cookies(answer, desk.request, site, entrance)
    return answer


def resumed(desk: Desk, to: str, carried: str) -> HTMLResponse:
    """Return the page with the form whose session had ended, for the operator who has signed in."""
    form = carried_forms.read(desk.site.keyring, carried, now=desk.site.now())
    is_own = form is not None and form.operator_id == desk.operator.operator_id
    return desk.page("resume", form=form if is_own else None, is_expired=form is None, to=to)
