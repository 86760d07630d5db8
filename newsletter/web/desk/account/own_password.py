"""Change one's own password, and ask for it before what a borrowed browser must not do."""

from fastapi.responses import HTMLResponse, Response

from newsletter.errors import Malformed, Refused
from newsletter.operators import operator_links, operators, passwords, sessions, sign_in_attempts
from newsletter.operators.operators import Operator
from newsletter.operators.passwords import TooBusy
from newsletter.operators.roles import Role
from newsletter.operators.sign_in_attempts import AttemptLimit, TooManyAttempts
from newsletter.web.desk.access import attempts, entering
from newsletter.web.desk.frame import failures
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.form_data import first_value

WRONG = "This is not your present password."
DIFFERENT = "Enter the new password the same way twice."
CHANGED_MEANWHILE = "Your password was changed a moment ago. Sign in with the new one."

router = DeskRouter()


@router.page("/account/password", Role.VIEWER, AccessScope.NOBODY)
def password_page(desk: CurrentDesk) -> HTMLResponse:
    """Show the form."""
    return _page(desk, {})


@router.action("/account/password", Role.VIEWER, AccessScope.NOBODY)
def change_password(desk: CurrentDesk, form: PostedForm) -> Response:
    """Change the password, end all sessions and mailed links, and begin a new session here."""
    new = first_value(form, "new_password")
    try:
        operator = prove(desk, first_value(form, "present_password"), field="present_password")
        passwords.check(new, own_words=(operator.name, operator.address), field="new_password")
        _check_same(new, first_value(form, "new_password_again"))
        hashed = desk.site.passwords.hash(new)
    except (Malformed, TooManyAttempts, TooBusy) as error:
        return refused(_page(desk, {_field(error): str(error)}, status=failures.status_of(error)), error)
    now = desk.site.now()
    with desk.site.database.writing() as session:
        locked = operators.numbered(session, operator.id, for_change=True)
        if locked.password_hash != operator.password_hash:
            raise Refused(CHANGED_MEANWHILE)
        operators.set_password(session, locked, hashed, actor=desk.operator.actor, now=now)
        operator_links.close(session, locked.id, now=now)
        sessions.end(session, locked.id, now=now)
        entrance = entering.enter(desk.request, desk.site, session, locked, complete=True)
    answer = desk.done("/account", "password")
    entering.set_cookies(answer, desk.request, desk.site, entrance)
    return answer


def prove(desk: Desk, password: str, *, field: str = "password") -> Operator:
    """Return the operator who has signed in, as stored, if this is their password.

    Raises Malformed, TooManyAttempts or TooBusy. Call it with no transaction open.
    """
    who = desk.operator
    if not password:
        raise Malformed(field, "Enter your present password.")
    with desk.site.database.reading() as session:
        operator = operators.numbered(session, who.operator_id)
    limits = _limits(desk)
    attempts.count(desk.site, limits)
    if not desk.site.passwords.is_right(operator.password_hash, password):
        raise Malformed(field, WRONG)
    with desk.site.database.writing() as session:
        sign_in_attempts.forgive(session, limits, now=desk.site.now())
    return operator


def refused(answer: HTMLResponse, error: Refused) -> HTMLResponse:
    """Return the answer with the time after which to try again, if there is one."""
    answer.headers.update(failures.retry_after(error))
    return answer


def _page(desk: Desk, errors: dict[str, str], *, status: int | None = None) -> HTMLResponse:
    least, most = passwords.MIN_CHARACTERS, passwords.MAX_CHARACTERS
    return desk.page("account/password", status=status, errors=errors, least=least, most=most)


def _field(error: Refused) -> str:
    return error.field if isinstance(error, Malformed) else "present_password"


def _check_same(password: str, again: str) -> None:
    if password != again:
        raise Malformed("new_password_again", DIFFERENT)


def _limits(desk: Desk) -> list[AttemptLimit]:
    return attempts.at_desk(desk.site, session_id=desk.operator.session_id)
