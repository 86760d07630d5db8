"""The second step of signing in: a code of the app, or a recovery code."""

from typing import NamedTuple

from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.errors import Malformed
from newsletter.operators import recovery_codes, sign_in_attempts, totp
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.operators.sessions import SessionStage
from newsletter.operators.sign_in_attempts import TooManyAttempts
from newsletter.web.desk.access import attempts, carried_forms, entering, resuming
from newsletter.web.desk.frame import failures, origin
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.desk.frame.signed_in import found
from newsletter.web.site import ReadingSession

WRONG = "This code is wrong, or it was used already. Enter the next one that your app shows."

router = DeskRouter()


class HalfSignedIn(NamedTuple):
    """An operator whose password was right."""

    operator_id: int
    address: str


@router.page("/sign-in/code", Role.VIEWER, AccessScope.OPEN)
def code_page(desk: CurrentDesk, session: ReadingSession, to: str = entering.HOME) -> Response:
    """Show the form to an operator whose password was right."""
    half = _half_signed_in(session, desk)
    if half is None:
        return RedirectResponse(entering.own_path(to) if desk.who else "/desk/sign-in", 303)
    return desk.page("second_factor", to=entering.own_path(to), carried="", address=half.address)


@router.action("/sign-in/code", Role.VIEWER, AccessScope.OPEN, body_limit=carried_forms.BODY_LIMIT)
def check_code(desk: CurrentDesk, form: PostedForm) -> Response:
    """Complete the sign-in, if the code is right, with a new token."""
    to, carried = entering.own_path(text(form, "to")), text(form, "carried")
    with desk.site.database.reading() as session:
        half = _half_signed_in(session, desk)
    if half is None:
        return RedirectResponse(to if desk.who else "/desk/sign-in", 303)
    limits = attempts.on_code(desk.request, desk.site, address=half.address)
    try:
        attempts.count(desk.site, limits)
        with desk.site.database.writing() as session:
            operator = session.get_one(Operator, half.operator_id)
            _take(session, desk, operator, text(form, "code"))
            sign_in_attempts.forgive(session, limits, now=desk.site.now())
            entrance = entering.enter(desk.request, desk.site, session, operator, complete=True)
    except (Malformed, TooManyAttempts) as error:
        errors, status = {"code": str(error)}, failures.status_of(error)
        answer = desk.page("second_factor", status=status, to=to, carried=carried, errors=errors, address=half.address)
        answer.headers.update(failures.retry_after(error))
        return answer
    return resuming.lead_in(desk, entrance, to, carried)


def _half_signed_in(session: Session, desk: Desk) -> HalfSignedIn | None:
    row = found(session, origin.read_cookie(desk.request, desk.site, origin.SESSION))
    if row is None or row[0].stage is not SessionStage.PASSWORD or not row[0].is_open(now=desk.site.now()):
        return None
    return HalfSignedIn(row[1].id, row[1].address)


def _take(session: Session, desk: Desk, operator: Operator, code: str) -> None:
    """Use a code of either kind. Raises Malformed."""
    now = desk.site.now()
    if totp.take(session, operator, code, desk.site.keyring, now=now):
        return
    if not recovery_codes.take(session, operator.id, code, now=now):
        raise Malformed("code", WRONG)
    who = f"operator:{operator.id}"
    audit_log.record(session, actor=who, verb="recovery code used", subject=who, newsletter_id=None, now=now)
