"""The accounts at the OpenID provider with which one signs in: a section of the page of one's own account."""

from typing import Any

from fastapi.responses import Response
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.operators import identities, operators
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk.access.provider import LINK_PATH
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.site import Site

NOTICES = {
    "identity-linked": "The account is linked. You can sign in with it from now on.",
    "identity-known": "That account was linked already.",
    "identity-removed": "The account is no longer linked.",
}

router = DeskRouter()


def section(session: Session, site: Site, operator_id: int) -> dict[str, Any]:
    """Return what the section shows, for the context of the page."""
    linked = [{"id": each.id, "since": each.linked_at} for each in identities.of_operator(session, operator_id)]
    return {"identities": linked, "provider": site.provider.name if site.provider else None}


@router.action(f"{LINK_PATH}/remove", Role.VIEWER, AccessScope.NOBODY)
def remove(desk: CurrentDesk, form: PostedForm) -> Response:
    """Remove one of them."""
    number = whole_numbers.parse(text(form, "identity"))
    if number is None:
        raise NotFound
    with desk.site.database.writing() as session:
        operator = operators.numbered(session, desk.operator.operator_id, for_change=True)
        identities.unlink(session, operator, number, now=desk.site.now())
    return desk.done("/account", "identity-removed")
