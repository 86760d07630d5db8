"""Answer requests of operators who have not signed in, or whose session has ended: the sign-in page, which leads on."""

from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from newsletter.web.desk.access import carried_forms, entering
from newsletter.web.desk.access.sign_in import SignInForm
from newsletter.web.desk.frame.desk import Desk
from newsletter.web.desk.frame.refusals import NotSignedIn
from newsletter.web.site import Site

STOP_POLLING = 286  # htmx asks no more after this status
KEPT = "Sign in again; what you entered is kept, and you can send it then."
NOT_KEPT = "Nothing was saved. Sign in again, then repeat it."


def install(app: FastAPI) -> None:
    """Register the handler."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)


def _not_signed_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotSignedIn)
    if error.form is not None:
        return _carrying(request, error)
    if "hx-request" in request.headers:  # a part of a page that somebody may be typing on: leave it as it is
        return Response(status_code=STOP_POLLING, headers={"HX-Reswap": "none"})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/desk/sign-in?{urlencode({'to': wanted})}", 303)


def _carrying(request: Request, error: NotSignedIn) -> Response:
    """Return the sign-in page with the form that was sent."""
    site: Site = request.app.state.site
    came_from = urlsplit(request.headers.get("referer", ""))
    form = error.form or {}
    carried = carried_forms.carry(site.keyring, request, form, operator_id=error.form_of, now=site.now())
    page = SignInForm(entering.own_path(came_from.path), carried)
    return page.page(Desk(request, site, None), status=401, lead=KEPT if carried else NOT_KEPT)
