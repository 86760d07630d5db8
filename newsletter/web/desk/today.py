"""Today: what leaves next, what waits for somebody, and what is wrong."""

from fastapi.responses import HTMLResponse

from newsletter.operators.roles import Role
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Department

DEPARTMENT = Department("Today", "/desk")
router = DeskRouter()


@router.page("", Role.VIEWER, AccessScope.SOMEWHERE)
def today(desk: CurrentDesk) -> HTMLResponse:
    """Show the day."""
    return desk.page("today")
