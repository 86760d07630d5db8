"""The page of one's own account; name and time zone are changed on it."""

from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import zones
from newsletter.errors import Malformed
from newsletter.operators import accounts, operators, recovery_codes, sessions
from newsletter.operators.roles import Role
from newsletter.web.desk.account import own_identities, own_mail
from newsletter.web.desk.account.device_names import device_name
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.site import ReadingSession

NOTICES = {
    "described": "Name and time zone are saved.",
    "password": "Your password is changed. All other devices are signed out.",
    "second-factor-off": "The second factor is off. The password alone lets you in.",
    "ended": "That device is signed out.",
    "others-ended": "All other devices are signed out.",
    "not-ended": "That device was signed out already.",
    **own_mail.NOTICES,
    **own_identities.NOTICES,
}

router = DeskRouter()


@router.page("/account", Role.VIEWER, AccessScope.NOBODY)
def account_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the account."""
    return desk.page("account/account", notices=NOTICES, **_shown(session, desk))


@router.action("/account", Role.VIEWER, AccessScope.NOBODY)
def describe(desk: CurrentDesk, form: PostedForm) -> Response:
    """Change name and time zone."""
    entered = {"name": text(form, "name"), "zone": text(form, "zone")}
    who = desk.operator
    try:
        with desk.site.database.writing() as session:
            operator = operators.numbered(session, who.operator_id, for_change=True)
            accounts.describe(session, operator, **entered, actor=who.actor, now=desk.site.now())
    except Malformed as error:
        with desk.site.database.reading() as session:
            shown = {**_shown(session, desk), "entered": entered}
            return desk.page("account/account", errors={error.field: str(error)}, **shown)
    return desk.done("/account", "described")


def _shown(session: Session, desk: Desk) -> dict[str, Any]:
    who, now = desk.operator, desk.site.now()
    operator = operators.numbered(session, who.operator_id)
    open_ones = sessions.of_operator(session, who.operator_id, now=now)
    rows = [
        {
            "id": each.id,
            "name": device_name(each.device),
            "since": each.created_at,
            "seen_at": each.seen_at,
            "is_this": each.id == who.session_id,
        }
        for each in open_ones
        if each.stage is sessions.SessionStage.FULL
    ]
    return {
        "entered": {"name": operator.name, "zone": operator.zone or ""},
        "has_password": operator.password_hash is not None,
        "second_factor_since": operator.totp_confirmed_at,
        "codes_left": recovery_codes.left(session, operator.id) if operator.totp_confirmed_at else 0,
        "devices": rows,
        "zones": zones.names(),
        "name_characters": operators.MAX_NAME,
        **own_mail.section(desk.site, operator, who.grants),
        **own_identities.section(session, desk.site, operator.id),
    }
