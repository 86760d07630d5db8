"""The pages of the desk, in the order of the navigation. A new page is a module here with its template."""

from fastapi import APIRouter, FastAPI

from newsletter.web.desk import audit
from newsletter.web.desk.access import ended_sessions, forgotten, operator_links, provider, second_factor, sign_in
from newsletter.web.desk.account import (
    own_account,
    own_identities,
    own_mail,
    own_password,
    own_second_factor,
    own_sessions,
)
from newsletter.web.desk.digests import pages as digests
from newsletter.web.desk.feeds import pages as feeds
from newsletter.web.desk.first_steps import pages as first_steps
from newsletter.web.desk.issues import department as issues
from newsletter.web.desk.newsletters import department as newsletters
from newsletter.web.desk.people import one_operator, operator_list
from newsletter.web.desk.today import page as today

PAGES = (
    today,
    first_steps,
    issues,
    digests,
    feeds,
    newsletters,
    operator_list,
    one_operator,
    audit,
    sign_in,
    second_factor,
    provider,
    operator_links,
    forgotten,
    own_account,
    own_password,
    own_second_factor,
    own_sessions,
    own_identities,
    own_mail,
)


def install(app: FastAPI) -> None:
    """Prepare the application for the desk's pages."""
    ended_sessions.install(app)
    app.state.departments = [page.DEPARTMENT for page in PAGES if hasattr(page, "DEPARTMENT")]


def add(router: APIRouter) -> None:
    """Add the desk's routes."""
    for page in PAGES:
        router.include_router(page.router)
