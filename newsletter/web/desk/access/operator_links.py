"""The page that a mailed link opens: an invitation, or a way back after a lost password.

A program that only opens links changes nothing: the form uses the link, in the transaction that sets the password.
"""

from collections.abc import Mapping
from typing import NamedTuple

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter.errors import LinkUnreadable, Malformed
from newsletter.links import Purpose
from newsletter.operators import operator_links, operators, passwords, sessions
from newsletter.operators.operator_links import LinkPurpose, LinkState, OperatorLink
from newsletter.operators.operators import Operator
from newsletter.operators.passwords import TooBusy
from newsletter.operators.roles import Role
from newsletter.web.desk.access import entering
from newsletter.web.desk.frame import failures
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.form_data import first_value
from newsletter.web.site import ReadingSession

# What the page says about a link that does not work: headline, and what to do.
ASK_AGAIN = "Ask whoever invited you for a new link; an administrator can make one at the desk."
ENDED = {
    LinkState.USED: (
        "This link has been used",
        "It works once. If it was you, sign in with the password that you chose; if not, tell an administrator.",
    ),
    LinkState.REPLACED: ("A newer link has replaced this one", "Open the newest letter that you got from us."),
    LinkState.EXPIRED: ("This link has expired", f"It worked for 24 hours. {ASK_AGAIN}"),
    None: ("This link does not work", f"Open it from the letter again, or copy all of it. {ASK_AGAIN}"),
}

router = DeskRouter()


class FoundLink(NamedTuple):
    """What a token stands for. Without an operator it is cut off or forged, or the operator was removed."""

    link: OperatorLink | None
    operator: Operator | None
    state: LinkState | None


@router.page("/link/{token}", Role.VIEWER, AccessScope.OPEN)
def link_page(desk: CurrentDesk, session: ReadingSession, token: str) -> Response:
    """Show what the link does, and the form that uses it."""
    return _page(desk, _find(desk, session, token))


@router.action("/link/{token}", Role.VIEWER, AccessScope.OPEN)
def use_link(desk: CurrentDesk, token: str, form: PostedForm) -> Response:
    """Use the link: set the password, end all other sessions, and sign the operator in."""
    site = desk.site
    with site.database.reading() as session:
        found = _find(desk, session, token)
    if not (found.link and found.operator and found.state is LinkState.OPEN):
        return _page(desk, found)
    password, named = first_value(form, "password"), text(form, "name")
    try:
        name = operators.checked_name(named) or found.operator.name
        passwords.check(password, own_words=(name, found.operator.address))
        # Before the transaction: it takes a tenth of a second, and may wait for others.
        password_hash = site.passwords.hash(password)
    except Malformed as error:
        return _page(desk, found, name=named, errors={error.field: str(error)})
    except TooBusy as error:
        answer = _page(desk, found, name=named, errors={"password": str(error)}, status=failures.status_of(error))
        answer.headers.update(failures.retry_after(error))
        return answer
    now = site.now()
    with site.database.writing() as session:
        is_first = operator_links.consume(session, found.link.id, now=now)
        if is_first:
            operator = operators.numbered(session, found.operator.id, for_change=True)
            operator.name = name
            operators.set_password(session, operator, password_hash, actor=f"operator:{operator.id}", now=now)
            operator_links.close(session, operator.id, now=now)
            sessions.end(session, operator.id, now=now)
            entrance = entering.enter(desk.request, site, session, operator)
    if not is_first:
        with site.database.reading() as session:
            return _page(desk, _find(desk, session, token))
    return entering.lead_in(desk.request, site, entrance)


def _find(desk: Desk, session: Session, token: str) -> FoundLink:
    try:
        (number,) = desk.site.links.read(token, Purpose.OPERATOR_LINK)
    except LinkUnreadable:
        return FoundLink(None, None, None)
    link = session.get(OperatorLink, number)
    if link is None:
        return FoundLink(None, None, None)
    state = operator_links.state(session, link, now=desk.site.now())
    return FoundLink(link, session.get(Operator, link.operator_id), state)


def _page(
    desk: Desk,
    found: FoundLink,
    *,
    name: str | None = None,
    errors: Mapping[str, str] | None = None,
    status: int | None = None,
) -> HTMLResponse:
    if found.link and found.operator and found.state is LinkState.OPEN:
        answer = desk.page(
            "link",
            status=status,
            operator=found.operator,
            is_invitation=found.link.purpose is LinkPurpose.INVITATION,
            ends_at=found.link.expires_at,
            own_name=found.operator.name if name is None else name,
            errors=errors,
            name_characters=operators.MAX_NAME,
            least=passwords.MIN_CHARACTERS,
            most=passwords.MAX_CHARACTERS,
            other=desk.who if desk.who and desk.who.operator_id != found.operator.id else None,
            provider=desk.site.provider.name if desk.site.provider and not desk.who else None,
        )
    else:
        title, says = ENDED[found.state]
        status = 410 if found.state else 404
        answer = desk.page("link_ended", status=status, title=title, says=says, is_signed_in=desk.who is not None)
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address holds the token
    return answer
