"""One operator: their roles, links and sessions, and how they are removed."""

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.operators import grants, identities, operator_links, operators, sessions
from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web import whole_numbers
from newsletter.web.desk.account.device_names import device_name
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.desk.people import handing_over, roles_in_words
from newsletter.web.desk.people.operator_list import role_in
from newsletter.web.form_data import FormData
from newsletter.web.site import ReadingSession

NOTICES = {
    "added": "The operator is added. Give them the link below.",
    "added-mailed": "The operator is added, and the invitation is on its way to them.",
    "link": "The new link is made; older ones no longer work.",
    "link-mailed": "A new link is on its way to them; older ones no longer work.",
    "changed": "The roles are changed. They hold from the next page on.",
    "ended": "All sessions are ended.",
}
EVERYWHERE = "*"  # the value of a field that names all newsletters; no slug is like this

router = DeskRouter()


@router.page("/operators/{operator_id}", Role.ADMIN, AccessScope.SERVICE)
def operator_page(desk: CurrentDesk, session: ReadingSession, operator_id: str, link: str = "") -> HTMLResponse:
    """Show the operator. `link` is the id of a link that was just made."""
    operator, now = _numbered(session, operator_id), desk.site.now()
    newest = operator_links.newest(session, operator.id)
    held = grants.named(session, operator.id).get(operator.id, [])
    granted = {each.slug for each in held}
    return desk.page(
        "people/one",
        notices=NOTICES,
        operator=operator,
        headline=roles_in_words.sentence(operator.name or operator.address, held),
        grants=held,
        everywhere=EVERYWHERE,
        may_everywhere=None not in granted,
        others=[each for each in newsletters.every(session) if each.slug not in granted],
        allows=roles_in_words.ALLOWS,
        sessions=[(device_name(each.device), each) for each in sessions.of_operator(session, operator.id, now=now)],
        identities=identities.of_operator(session, operator.id),
        link=newest,
        link_state=newest and operator_links.state(session, newest, now=now),
        shown_link=handing_over.shown(desk.site, newest, now=now) if _is(newest, link) else None,
        mails=desk.site.settings.service_sender is not None,
        is_self=operator.id == desk.operator.operator_id,
    )


@router.action("/operators/{operator_id}/grant", Role.ADMIN, AccessScope.SERVICE)
def grant_role(desk: CurrentDesk, form: PostedForm, operator_id: str) -> Response:
    """Give the operator a role, for one newsletter or for all."""
    with desk.site.database.writing() as session:
        operator = _numbered(session, operator_id, for_change=True)
        chosen, actor, now = _chosen(session, form), desk.operator.actor, desk.site.now()
        operators.grant(session, operator, role_in(form), newsletter=chosen, actor=actor, now=now)
    return desk.done(f"/operators/{operator.id}", "changed")


@router.action("/operators/{operator_id}/revoke", Role.ADMIN, AccessScope.SERVICE)
def revoke_role(desk: CurrentDesk, form: PostedForm, operator_id: str) -> Response:
    """Take the operator's role for one newsletter, or that for all."""
    with desk.site.database.writing() as session:
        operator = _numbered(session, operator_id, for_change=True)
        chosen, actor, now = _chosen(session, form), desk.operator.actor, desk.site.now()
        operators.revoke(session, operator, newsletter=chosen, actor=actor, now=now)
    return desk.done(f"/operators/{operator.id}", "changed")


@router.action("/operators/{operator_id}/link", Role.ADMIN, AccessScope.SERVICE)
def make_link(desk: CurrentDesk, operator_id: str) -> Response:
    """Make a new link, by which the operator chooses a password."""
    with desk.site.database.writing() as session:
        operator = _numbered(session, operator_id, for_change=True)
        link, is_mailed = handing_over.make(desk, session, operator)
    desk.site.wakeups.wake(Queue.URGENT)
    return desk.done(f"/operators/{operator.id}", "link-mailed" if is_mailed else "link", link=str(link.id))


@router.action("/operators/{operator_id}/end-sessions", Role.ADMIN, AccessScope.SERVICE)
def end_sessions(desk: CurrentDesk, operator_id: str) -> Response:
    """Sign the operator out everywhere; an administrator who does so to themselves stays in this browser."""
    with desk.site.database.writing() as session:
        operator = _numbered(session, operator_id)
        besides = desk.operator.session_id if operator.id == desk.operator.operator_id else None
        operators.end_sessions(session, operator, besides=besides, actor=desk.operator.actor, now=desk.site.now())
    return desk.done(f"/operators/{operator.id}", "ended")


@router.page("/operators/{operator_id}/remove", Role.ADMIN, AccessScope.SERVICE)
def removal_page(desk: CurrentDesk, session: ReadingSession, operator_id: str) -> HTMLResponse:
    """Ask whether the operator shall be removed."""
    operator = _numbered(session, operator_id)
    is_self = operator.id == desk.operator.operator_id
    return desk.page("people/remove", operator=operator, is_self=is_self)


@router.action("/operators/{operator_id}/remove", Role.ADMIN, AccessScope.SERVICE)
def remove_operator(desk: CurrentDesk, operator_id: str) -> Response:
    """Remove the operator."""
    with desk.site.database.writing() as session:
        operator = _numbered(session, operator_id, for_change=True)
        operators.remove(session, operator, actor=desk.operator.actor, now=desk.site.now())
    return desk.done("/operators", "removed")


def _numbered(session: Session, operator_id: str, *, for_change: bool = False) -> Operator:
    number = whole_numbers.parse(operator_id)
    if number is None:
        raise NotFound
    return operators.numbered(session, number, for_change=for_change)


def _chosen(session: Session, form: FormData) -> Newsletter | None:
    """Return the newsletter that a form names; None for all of them."""
    slug = text(form, "newsletter")
    return None if slug == EVERYWHERE else newsletters.named(session, slug)


def _is(link: OperatorLink | None, number: str) -> bool:
    return link is not None and str(link.id) == number
