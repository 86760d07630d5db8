"""The pages of the desk, in the order of the navigation. A new page is a module here with its template."""

from fastapi import FastAPI

from newsletter.web.desk import audit, today
from newsletter.web.desk.access import ended_sessions, forgotten, operator_links, second_factor, sign_in
from newsletter.web.desk.feeds import pages as feeds
from newsletter.web.desk.people import one_operator, operator_list

PAGES = (
    today,
    feeds,
    operator_list,
    one_operator,
    audit,
    sign_in,
    second_factor,
    operator_links,
    forgotten,
)


def install(app: FastAPI) -> None:
    """Add the desk to the application."""
    ended_sessions.install(app)
    app.state.departments = [page.DEPARTMENT for page in PAGES if hasattr(page, "DEPARTMENT")]
    for page in PAGES:
        app.include_router(page.router)
