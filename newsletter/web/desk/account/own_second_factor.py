"""Turn one's own second factor on and off, and get new recovery codes. Each asks for the password first."""

from typing import Any

import segno
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from sqlalchemy.orm import Session

from newsletter.errors import Malformed, Refused
from newsletter.operators import accounts, operators, recovery_codes, sessions, sign_in_attempts, totp
from newsletter.operators.passwords import TooBusy
from newsletter.operators.roles import Role
from newsletter.operators.sign_in_attempts import TooManyAttempts
from newsletter.web.desk.access import attempts, entering
from newsletter.web.desk.account.own_password import prove, refused
from newsletter.web.desk.frame import failures
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.form_data import first_value
from newsletter.web.site import ReadingSession

PAGE = "/account/second-factor"
MODULE_PIXELS = 5  # of the QR code, on each side
GROUP = 4  # characters of the secret between two blanks

router = DeskRouter()


@router.page(PAGE, Role.VIEWER, AccessScope.NOBODY)
def second_factor_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the next step: the password, the QR code, or what can be done once it is on."""
    return _page(desk, session, {})


@router.action(f"{PAGE}/begin", Role.VIEWER, AccessScope.NOBODY)
def begin_second_factor(desk: CurrentDesk, form: PostedForm) -> Response:
    """Make a secret, which the next page shows."""
    try:
        prove(desk, first_value(form, "password"))
    except (Malformed, TooManyAttempts, TooBusy) as error:
        return _again(desk, "password", error)
    with desk.site.database.writing() as session:
        totp.begin(operators.numbered(session, desk.operator.operator_id, for_change=True), desk.site.keyring)
    return desk.done(PAGE)


@router.action(f"{PAGE}/confirm", Role.VIEWER, AccessScope.NOBODY)
def confirm_second_factor(desk: CurrentDesk, form: PostedForm) -> Response:
    """Turn it on, if app and service agree, and show the recovery codes this once.

    All sessions end, for they began without a code; a new one begins here.
    """
    who, now = desk.operator, desk.site.now()
    limits = attempts.on_code(desk.request, desk.site, address=who.address)
    try:
        attempts.count(desk.site, limits)
        with desk.site.database.writing() as session:
            operator = operators.numbered(session, who.operator_id, for_change=True)
            keyring, code = desk.site.keyring, text(form, "code")
            codes = accounts.confirm_second_factor(session, operator, code, keyring, actor=who.actor, now=now)
            sign_in_attempts.forgive(session, limits, now=now)
            sessions.end(session, operator.id, now=now)
            entrance = entering.enter(desk.request, desk.site, session, operator, complete=True)
    except (Malformed, TooManyAttempts) as error:
        return _again(desk, "code", error)
    answer = desk.page("account/recovery_codes", codes=codes, is_new=True)
    entering.set_cookies(answer, desk.request, desk.site, entrance)
    return answer


@router.action(f"{PAGE}/codes", Role.VIEWER, AccessScope.NOBODY)
def renew_codes(desk: CurrentDesk, form: PostedForm) -> Response:
    """Replace the recovery codes, and show the new ones this once."""
    who = desk.operator
    try:
        prove(desk, first_value(form, "password"))
        with desk.site.database.writing() as session:
            operator = operators.numbered(session, who.operator_id, for_change=True)
            _check_is_on(operator.totp_confirmed_at is not None)
            codes = accounts.renew_recovery_codes(session, operator, actor=who.actor, now=desk.site.now())
    except (Malformed, TooManyAttempts, TooBusy) as error:
        return _again(desk, "password", error)
    return desk.page("account/recovery_codes", codes=codes, is_new=False)


@router.action(f"{PAGE}/off", Role.VIEWER, AccessScope.NOBODY)
def drop_second_factor(desk: CurrentDesk, form: PostedForm) -> Response:
    """Turn it off."""
    who = desk.operator
    try:
        prove(desk, first_value(form, "password"))
    except (Malformed, TooManyAttempts, TooBusy) as error:
        return _again(desk, "password", error)
    with desk.site.database.writing() as session:
        operator = operators.numbered(session, who.operator_id, for_change=True)
        accounts.drop_second_factor(session, operator, actor=who.actor, now=desk.site.now())
    return desk.done("/account", "second-factor-off")


def _again(desk: Desk, field: str, error: Refused) -> HTMLResponse:
    """Show the page again, with the error beside the field."""
    with desk.site.database.reading() as session:
        return refused(_page(desk, session, {field: str(error)}, status=failures.status_of(error)), error)


def _page(desk: Desk, session: Session, errors: dict[str, str], *, status: int | None = None) -> HTMLResponse:
    site, operator = desk.site, operators.numbered(session, desk.operator.operator_id)
    left = recovery_codes.left(session, operator.id)
    secret = totp.secret(operator, site.keyring)
    shown: dict[str, Any] = {
        "since": operator.totp_confirmed_at,
        "codes_left": left,
        "has_password": operator.password_hash is not None,
        "secret": None,
        "qr_code": None,
        "uri": None,
    }
    if secret and not operator.totp_confirmed_at:
        uri = totp.uri(operator, site.keyring, issuer=desk.publisher() or "Newsletters")
        shown |= {"secret": _grouped(secret), "qr_code": _qr_code(uri), "uri": uri}
    return desk.page("account/second_factor", status=status, errors=errors, **shown)


def _qr_code(uri: str) -> Markup:
    """Return the code as SVG without styles: dark on light also in the dark, as cameras expect it."""
    drawn = segno.make(uri, error="m", micro=False)
    return Markup(drawn.svg_inline(scale=MODULE_PIXELS, border=4, dark="#000", light="#fff", svgclass=None))  # noqa: S704 - from numbers only


def _grouped(secret: str) -> str:
    return " ".join(secret[at : at + GROUP] for at in range(0, len(secret), GROUP))


def _check_is_on(is_on: bool) -> None:
    if not is_on:
        raise Refused("The second factor is off, so there are no recovery codes.")
