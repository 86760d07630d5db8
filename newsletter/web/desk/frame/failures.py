"""Failures at the desk: an operator who has not signed in is led to do so, the others are told in the desk's frame."""

from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from newsletter.errors import Malformed, NotFound, Refused
from newsletter.web.desk.frame.desk import Desk
from newsletter.web.desk.frame.refusals import ForeignForm, NotSignedIn, RoleMissing

STATUS: dict[type[Refused], int] = {NotFound: 404, RoleMissing: 403, ForeignForm: 403, Malformed: 422, Refused: 400}
TITLES: dict[type[Refused], str] = {
    NotFound: "This page does not exist",
    RoleMissing: "Your role does not allow this",
    ForeignForm: "This form came from somewhere else",
    Malformed: "Please correct what you entered",
    Refused: "This cannot be done now",
}


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)


def is_at_desk(request: Request) -> bool:
    """Whether a request is about a page of the desk."""
    return request.url.path == "/desk" or request.url.path.startswith("/desk/")


def refused(request: Request, error: Refused) -> Response:
    """Return the page that tells why an operator's request was refused."""
    kind = next(kind for kind in type(error).__mro__ if kind in STATUS)
    desk = getattr(request.state, "desk", None) or Desk(request, request.app.state.site, None)
    return desk.page("refused", status=STATUS[kind], title=TITLES[kind], explanation=str(error))


def _not_signed_in(request: Request, _: Exception) -> Response:
    query = urlencode({"to": request.url.path}) if request.method == "GET" else ""
    return RedirectResponse(f"/desk/sign-in{'?' if query else ''}{query}", 303)
