"""Sign in with address and password, and out."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select, update

from newsletter import addresses
from newsletter.errors import Malformed
from newsletter.operators import sessions, sign_in_attempts
from newsletter.operators.operators import Operator
from newsletter.operators.passwords import TooBusy
from newsletter.operators.roles import Role
from newsletter.operators.sign_in_attempts import TooManyAttempts
from newsletter.web.desk.access import attempts, carried_forms, entering, resuming
from newsletter.web.desk.frame import failures, origin
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.form_data import first_value
from newsletter.web.site import RequestTrace

WRONG = "Address or password is wrong. Please check both."
NOTICES = {
    "signed-out": "You have signed out.",
}

router = DeskRouter()


class PasswordProof(NamedTuple):
    """An operator, and the hash of the password that they knew."""

    operator_id: int
    password_hash: str


@dataclass(frozen=True)
class SignInForm:
    """What the page of the sign-in holds."""

    to: str = entering.HOME
    carried: str = ""
    address: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    def page(self, desk: Desk, *, status: int | None = None, lead: str | None = None) -> HTMLResponse:
        """Return the page."""
        settings = desk.site.settings
        provider = settings.oidc_name if settings.oidc_issuer else None
        shown: dict[str, Any] = {"to": self.to, "carried": self.carried, "address": self.address}
        return desk.page(
            "sign_in", status=status, errors=self.errors, notices=NOTICES, lead=lead, provider=provider, **shown
        )


@router.page("/sign-in", Role.VIEWER, AccessScope.OPEN)
def sign_in_page(desk: CurrentDesk, to: str = entering.HOME) -> Response:
    """Show the form; who has signed in is led on."""
    if desk.who:
        return RedirectResponse(entering.own_path(to), 303)
    return SignInForm(entering.own_path(to)).page(desk)


@router.action("/sign-in", Role.VIEWER, AccessScope.OPEN, body_limit=carried_forms.BODY_LIMIT)
def sign_in(desk: CurrentDesk, form: PostedForm, trace: RequestTrace) -> Response:
    """Check the password and begin a session. The answer never tells whether there is such an account."""
    entered = SignInForm(entering.own_path(text(form, "to")), text(form, "carried"), text(form, "address"))
    password = first_value(form, "password")
    try:
        address = addresses.parse(entered.address, field="address").key
        _check_presence(password)
        limits = attempts.on_password(desk.request, desk.site, address=address, ip=trace.ip)
        attempts.count(desk.site, limits)
        proof = _prove(desk, address, password)
    except Malformed as error:
        entered.errors[error.field] = str(error)
        return entered.page(desk)
    except (TooManyAttempts, TooBusy) as error:
        entered.errors["password"] = str(error)
        answer = entered.page(desk, status=failures.status_of(error))
        answer.headers.update(failures.retry_after(error))
        return answer
    with desk.site.database.writing() as session:
        # The password may have changed while it was checked, and the operator may be gone.
        same = select(Operator).where(Operator.id == proof.operator_id, Operator.password_hash == proof.password_hash)
        if operator := session.scalar(same.with_for_update()):
            sign_in_attempts.forgive(session, limits, now=desk.site.now())
            entrance = entering.enter(desk.request, desk.site, session, operator)
    if operator is None:
        entered.errors["password"] = WRONG
        return entered.page(desk)
    return resuming.lead_in(desk, entrance, entered.to, entered.carried)


@router.action("/sign-in/resume", Role.VIEWER, AccessScope.OPEN, body_limit=carried_forms.BODY_LIMIT)
def resume(desk: CurrentDesk, form: PostedForm) -> Response:
    """Show a form whose session had ended to an operator who has signed in meanwhile, in another tab."""
    entered = SignInForm(entering.own_path(text(form, "to")), text(form, "carried"))
    if desk.who is None:
        return entered.page(desk, status=401, lead="You have not signed in yet.")
    return resuming.resumed(desk, entered.to, entered.carried)


@router.action("/sign-out", Role.VIEWER, AccessScope.OPEN)
def sign_out(desk: CurrentDesk) -> Response:
    """End this session, if it has not ended already. Its cookie is worthless then."""
    with desk.site.database.writing() as session:  # also one that still lacks its second factor
        if current := sessions.find(session, origin.read_cookie(desk.request, desk.site, origin.SESSION)):
            sessions.end(session, current.operator_id, only=current.id, now=desk.site.now())
    answer = desk.done("/sign-in", "signed-out")
    origin.set_cookie(answer, desk.site, origin.SESSION, "")
    return answer


def _check_presence(password: str) -> None:
    if not password:
        raise Malformed("password", "Enter your password.")


def _prove(desk: Desk, address: str, password: str) -> PasswordProof:
    """Return whose address and password these are, in the same time for every answer. Raises Malformed for nobody's."""
    passwords = desk.site.passwords
    with desk.site.database.reading() as session:
        operator = session.scalar(select(Operator).where(Operator.address == address))
    stored = operator.password_hash if operator else None
    if not passwords.is_right(stored, password) or not operator or not stored:
        raise Malformed("password", WRONG)
    if passwords.is_outdated(stored):
        stronger = passwords.hash(password)
        same = update(Operator).where(Operator.id == operator.id, Operator.password_hash == stored)
        with desk.site.database.writing() as session:
            session.execute(same.values(password_hash=stronger))
        stored = stronger
    return PasswordProof(operator.id, stored)
