"""The operators: who they are, what they may do, and when they were last here."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from fastapi.responses import HTMLResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.errors import Malformed
from newsletter.operators import grants, operator_links, operators
from newsletter.operators.grants import NamedGrant
from newsletter.operators.identities import Identity
from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.operators.sessions import OperatorSession
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Department, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.desk.people import handing_over
from newsletter.web.desk.people.roles_in_words import ALLOWS
from newsletter.web.form_data import FormData
from newsletter.web.site import ReadingSession

DEPARTMENT = Department("Operators", "/desk/operators", Role.ADMIN, of_service=True)
NOTICES = {"removed": "The operator is removed. The audit log keeps what they did under their number."}

router = DeskRouter()


class ListedOperator(NamedTuple):
    """A row of the list."""

    operator: Operator
    grants: Sequence[NamedGrant]
    seen_at: datetime | None  # None: nowhere signed in
    link: OperatorLink | None  # the newest one
    can_sign_in: bool  # with a password, or with an account at the provider


@router.page("/operators", Role.ADMIN, AccessScope.SERVICE)
def operators_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """List the operators."""
    rows = _listed(session)
    waiting = sum(not row.can_sign_in for row in rows)
    return desk.page("people/list", notices=NOTICES, rows=rows, waiting=waiting)


@router.page("/operators/new", Role.ADMIN, AccessScope.SERVICE)
def new_operator_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the form for another operator."""
    return _form(desk, session, {})


@router.action("/operators/new", Role.ADMIN, AccessScope.SERVICE)
def add_operator(desk: CurrentDesk, form: PostedForm) -> Response:
    """Add an operator and hand the invitation over."""
    try:
        with desk.site.database.writing() as session:
            everywhere = text(form, "where") == "all"
            chosen = None if everywhere else [newsletters.named(session, slug) for slug in form.get("newsletters", ())]
            operator = operators.add(
                session,
                text(form, "address"),
                role=role_in(form),
                newsletters=chosen,
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
            link, is_mailed = handing_over.make(desk, session, operator)
    except Malformed as error:
        with desk.site.database.reading() as session:
            return _form(desk, session, form, {error.field: str(error)})
    desk.site.wakeups.wake(Queue.URGENT)
    notice = "added-mailed" if is_mailed else "added"
    return desk.done(f"/operators/{operator.id}", notice, link=str(link.id))


def role_in(form: FormData) -> Role:
    """Return the role that a form names. Raises Malformed."""
    try:
        return Role(text(form, "role"))
    except ValueError:
        raise Malformed("role", "Choose a role.") from None


def _listed(session: Session) -> Sequence[ListedOperator]:
    last_use = select(OperatorSession.operator_id, func.max(OperatorSession.seen_at))
    last_use = last_use.where(OperatorSession.ended_at.is_(None)).group_by(OperatorSession.operator_id)
    seen: dict[int, datetime] = {row[0]: row[1] for row in session.execute(last_use)}
    linked = set(session.scalars(select(Identity.operator_id)))
    held, links = grants.named(session), operator_links.newest_of_all(session)
    return [
        ListedOperator(
            each,
            held.get(each.id, ()),
            seen.get(each.id),
            links.get(each.id),
            each.password_hash is not None or each.id in linked,
        )
        for each in operators.every(session)
    ]


def _form(desk: Desk, session: Session, form: FormData, errors: dict[str, str] | None = None) -> HTMLResponse:
    return desk.page(
        "people/new",
        newsletters=newsletters.every(session),
        allows=ALLOWS,
        address=text(form, "address"),
        role=text(form, "role"),
        where=text(form, "where"),
        chosen=form.get("newsletters", ()),
        mails=desk.site.settings.service_sender is not None,
        errors=errors,
    )
