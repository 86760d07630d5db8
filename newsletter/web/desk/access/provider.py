"""Sign in with an account at an OpenID provider, or link one to one's own operator.

The way there is a link that writes nothing but a cookie. The provider leads back to a page with a button, for a page
that is opened must not change anything; the button posts what the provider has sent.
"""

import logging

from fastapi.responses import RedirectResponse, Response

from newsletter.errors import NotFound, Refused
from newsletter.operators import identities, operators
from newsletter.operators.openid.accounts import ProvidedAccount
from newsletter.operators.openid.provider import OpenIdProvider, WaySecrets
from newsletter.operators.openid.provider_http import ProviderTrouble
from newsletter.operators.roles import Role
from newsletter.web.desk.access import entering, provider_ways
from newsletter.web.desk.access.provider_ways import ProviderWay
from newsletter.web.desk.frame import origin
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.site import Site

PATH = "/sign-in/provider"
CALLBACK = f"{PATH}/callback"
LINK_PATH = "/account/identities"
MAX_PARAMETER = 4000  # characters of what the provider sends back

UNKNOWN_WAY = "This sign-in was not begun in this browser, or it was begun too long ago. Nothing was changed."
NOT_SIGNED_IN_THERE = "The provider did not sign you in. Nothing was changed."
OTHER_SESSION = "You have signed out meanwhile, or as somebody else. Sign in again, then link the account."

log = logging.getLogger(__name__)
router = DeskRouter()


@router.page(PATH, Role.VIEWER, AccessScope.OPEN)
def to_provider(desk: CurrentDesk, to: str = entering.HOME) -> Response:
    """Lead to the provider, to sign in there."""
    if desk.who:
        return RedirectResponse(entering.own_path(to), 303)
    return _lead_there(desk, ProviderWay(WaySecrets.new(), entering.own_path(to)))


@router.page(f"{LINK_PATH}/new", Role.VIEWER, AccessScope.NOBODY)
def to_provider_for_linking(desk: CurrentDesk) -> Response:
    """Lead to the provider, to link an account there."""
    return _lead_there(desk, ProviderWay(WaySecrets.new(), "/desk/account", desk.operator.operator_id))


@router.page(CALLBACK, Role.VIEWER, AccessScope.OPEN)
def back_from_provider(desk: CurrentDesk, code: str = "", state: str = "", iss: str = "", error: str = "") -> Response:
    """Show the button that completes the sign-in."""
    if error:  # some providers leave the state out then
        log.warning("the OpenID provider signed somebody not in", extra={"error": error[:80]})
        return _trouble(desk, NOT_SIGNED_IN_THERE, status=403, is_linking=desk.who is not None)
    way = _way(desk, state)
    if way is None:
        return RedirectResponse("/desk", 303) if desk.who else _trouble(desk, UNKNOWN_WAY, status=400)
    if not code or max(map(len, (code, state, iss))) > MAX_PARAMETER:
        return _trouble(desk, NOT_SIGNED_IN_THERE, status=403, is_linking=bool(way.operator_id))
    sent = {"code": code, "state": state, "iss": iss}
    name = _provider(desk.site).name
    answer = desk.page("access/back_from_provider", sent=sent, provider=name, is_linking=bool(way.operator_id))
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address holds the code
    return answer


@router.action(CALLBACK, Role.VIEWER, AccessScope.OPEN)
def complete(desk: CurrentDesk, form: PostedForm) -> Response:
    """Ask the provider whose account it is, then sign in or link it."""
    way = _way(desk, text(form, "state"))
    if way is None:  # also if the button was pressed twice
        return RedirectResponse("/desk", 303) if desk.who else _trouble(desk, UNKNOWN_WAY, status=400)
    if way.operator_id and (desk.who is None or desk.who.operator_id != way.operator_id):
        return _trouble(desk, OTHER_SESSION, status=403)
    try:
        account = _provider(desk.site).account(
            text(form, "code"),
            way.secrets,
            redirect_uri=_redirect_uri(desk.site),
            named_issuer=text(form, "iss"),
            now=desk.site.now(),
        )
        answer = _link(desk, way, account) if way.operator_id else _enter(desk, way, account)
    except ProviderTrouble as error:
        return _trouble(desk, str(error), status=502, is_linking=bool(way.operator_id))
    except Refused as error:
        return _trouble(desk, str(error), status=403, is_linking=bool(way.operator_id))
    origin.set_cookie(answer, desk.site, origin.PROVIDER_WAY, "")
    return answer


def _enter(desk: Desk, way: ProviderWay, account: ProvidedAccount) -> Response:
    with desk.site.database.writing() as session:
        operator = identities.operator_of(session, account, now=desk.site.now())
        entrance = entering.enter(desk.request, desk.site, session, operator)
    return entering.lead_in(desk.request, desk.site, entrance, way.to)


def _link(desk: Desk, way: ProviderWay, account: ProvidedAccount) -> Response:
    with desk.site.database.writing() as session:
        operator = operators.numbered(session, way.operator_id, for_change=True)
        is_new = identities.link(session, operator, account, now=desk.site.now())
    return desk.done("/account", "identity-linked" if is_new else "identity-known")


def _lead_there(desk: Desk, way: ProviderWay) -> Response:
    try:
        url = _provider(desk.site).authorization_url(way.secrets, redirect_uri=_redirect_uri(desk.site))
    except ProviderTrouble as error:
        return _trouble(desk, str(error), status=502, is_linking=bool(way.operator_id))
    answer = RedirectResponse(url, 303)
    value = provider_ways.write(desk.site.keyring, way, now=desk.site.now())
    seconds = int(provider_ways.LIFETIME.total_seconds())
    origin.set_cookie(answer, desk.site, origin.PROVIDER_WAY, value, seconds=seconds)
    return answer


def _way(desk: Desk, state: str) -> ProviderWay | None:
    cookie = origin.read_cookie(desk.request, desk.site, origin.PROVIDER_WAY)
    return provider_ways.read(desk.site.keyring, cookie, state=state, now=desk.site.now())


def _trouble(desk: Desk, explanation: str, *, status: int, is_linking: bool = False) -> Response:
    name = _provider(desk.site).name
    return desk.page(
        "access/provider_trouble", status=status, explanation=explanation, provider=name, is_linking=is_linking
    )


def _provider(site: Site) -> OpenIdProvider:
    if site.provider is None:
        raise NotFound
    return site.provider


def _redirect_uri(site: Site) -> str:
    return f"{site.settings.desk_origin}/desk{CALLBACK}"
