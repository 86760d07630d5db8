"""The next runs of a schedule that is being entered: the part of a page that follows the fields as one types."""

from fastapi.responses import HTMLResponse

from newsletter import newsletters
from newsletter.operators.roles import Role
from newsletter.web.desk.digests.schedule_fields import ScheduleFields
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/digests/runs", Role.EDITOR, AccessScope.SOMEWHERE)
def shown(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the next runs of the fields in the query; nothing is stored."""
    query = desk.request.query_params
    form = {name: query.getlist(name) for name in query}
    reader = newsletters.by_slug(session, forms.text(form, "newsletter"))
    is_seen = reader is not None and desk.operator.may(Role.VIEWER, reader.id)
    zone = reader.zone if reader and is_seen else desk.operator.zone
    return desk.page(
        "digests/runs", **ScheduleFields.read(form).context(zone, operator_zone=desk.operator.zone, now=desk.site.now())
    )
