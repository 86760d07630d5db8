"""Let an operator in: a session of this device, its cookie, and where they wanted to go.

Whoever has proved who they are, by a password, a link or a provider, comes through here; an operator with a second
factor is asked for it next. Each step has a session, and so a token, of its own.
"""

from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from newsletter.operators import sessions
from newsletter.operators.operators import Operator
from newsletter.operators.sessions import SessionStage
from newsletter.web.desk.access import devices
from newsletter.web.desk.frame import origin
from newsletter.web.site import Site

HOME = "/desk"
CODE_PATH = "/desk/sign-in/code"
COOKIE_SECONDS = int((sessions.LONGEST + sessions.KEPT_ENDED).total_seconds())


class Entrance(NamedTuple):
    """An operator's new session on a device."""

    token: str
    stage: SessionStage
    address: str


def enter(request: Request, site: Site, session: Session, operator: Operator, *, complete: bool = False) -> Entrance:
    """Begin a session of an operator who has proved who they are, and end the one that this browser had.

    It lacks the second factor, if the operator has one, unless it is `complete`.
    """
    now, needs_code = site.now(), operator.totp_confirmed_at is not None and not complete
    former = sessions.find(session, origin.read_cookie(request, site, origin.SESSION))
    if former and former.ended_at is None:
        sessions.end(session, former.operator_id, only=former.id, now=now)
    stage = SessionStage.PASSWORD if needs_code else SessionStage.FULL
    device = request.headers.get("user-agent", "")
    token = sessions.begin(session, operator.id, device=device, stage=stage, now=now)
    return Entrance(token, stage, operator.address)


def set_cookies(answer: Response, request: Request, site: Site, entrance: Entrance) -> None:
    """Give the browser the session's token; once the sign-in is complete, it becomes a known device."""
    origin.set_cookie(answer, site, origin.SESSION, entrance.token, seconds=COOKIE_SECONDS)
    if visit := origin.read_cookie(request, site, origin.VISIT):
        origin.set_cookie(answer, site, origin.VISIT, visit, seconds=origin.VISIT_SECONDS)
    if entrance.stage is SessionStage.FULL:
        devices.remember(answer, request, site, entrance.address)


def lead_in(request: Request, site: Site, entrance: Entrance, to: str = HOME) -> RedirectResponse:
    """Return the answer that takes the browser in: to the page that was wanted, or to the second factor first."""
    wanted = own_path(to)
    path = wanted if entrance.stage is SessionStage.FULL else f"{CODE_PATH}?{urlencode({'to': wanted})}"
    answer = RedirectResponse(path, 303)
    set_cookies(answer, request, site, entrance)
    return answer


def own_path(to: str) -> str:
    """Return the path if it is one of the desk, else the desk's first page: no link may lead elsewhere from here."""
    try:
        parts = urlsplit(to)
    except ValueError:
        return HOME
    is_own = to.startswith(HOME) and (parts.path == HOME or parts.path.startswith(f"{HOME}/"))
    is_plain = to.isascii() and to.isprintable() and not set(to) & set("\\ #") and "//" not in parts.path
    is_entrance = parts.path.startswith((f"{HOME}/sign-", f"{HOME}/link"))
    return to if is_own and is_plain and not is_entrance else HOME
