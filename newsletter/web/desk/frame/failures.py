"""Failures at the desk, told in its frame."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import common_publisher
from newsletter.operators.passwords import TooBusy
from newsletter.operators.sign_in_attempts import TooManyAttempts
from newsletter.web.desk.frame import forms, origin
from newsletter.web.desk.frame.desk import Desk
from newsletter.web.desk.frame.refusals import ForeignForm, OnlyByForm, OtherOperator, RoleMissing
from newsletter.web.desk.frame.signed_in import signed_in
from newsletter.web.form_data import FormData
from newsletter.web.site import Site

BUSY_SECONDS = 5

STATUS: dict[type[Refused], int] = {
    NotFound: 404,
    RoleMissing: 403,
    ForeignForm: 403,
    OtherOperator: 403,
    OnlyByForm: 405,
    TooManyAttempts: 429,
    TooBusy: 503,
    Malformed: 422,
    Refused: 400,
}
TITLES: dict[type[Refused], str] = {
    NotFound: "This page does not exist",
    RoleMissing: "Your role does not allow this",
    ForeignForm: "This form came from somewhere else",
    OnlyByForm: "This page opens only when a form is sent",
    OtherOperator: "Another operator opened this form",
    TooManyAttempts: "That was too often",
    TooBusy: "Please try again in a few seconds",
    Malformed: "Please correct what you entered",
    Refused: "This cannot be done now",
}


def is_at_desk(request: Request) -> bool:
    """Whether a request is about a page of the desk."""
    return request.url.path == "/desk" or request.url.path.startswith("/desk/")


def refused(request: Request, error: Refused) -> Response:
    """Return the page that tells why an operator's request was refused."""
    return told(getattr(request.state, "desk", None) or _desk(request), error)


def told(desk: Desk, error: Refused) -> Response:
    """Return the same page for this request."""
    kind = _kind(error)
    answer = desk.page("refused", status=STATUS[kind], title=TITLES[kind], explanation=str(error))
    answer.headers.update(retry_after(error))
    return answer


def failed(request: Request, status: int) -> Response:
    """Return the page about an unexpected error, without reading the database; a form that was sent can be sent again.

    Only a form of ours is shown again, and none with a password.
    """
    site: Site = request.app.state.site
    sent: FormData = getattr(request.state, "own_form", {})
    context: dict[str, Any] = {
        "publisher": common_publisher(site.offered.known().values()),
        "is_away": status == 503,
        "form": [] if any(map(forms.holds_secret, sent)) else forms.pairs(sent),
        "method": request.method,
    }
    if sent:
        visit = origin.read_cookie(request, site, origin.VISIT)
        context["form_token"] = forms.hidden_field(site, visit, request.state.form_of)
    return Desk(request, site, None).page("failed", status=status, notices=None, **context)


def _desk(request: Request) -> Desk:
    """Return the desk of a request that no guard has let in, with the navigation of whoever sent it."""
    site: Site = request.app.state.site
    if site.settings.desk_problem:
        return Desk(request, site, None)
    with site.database.reading() as session:
        return Desk(request, site, signed_in(session, site, origin.read_cookie(request, site, origin.SESSION)))


def status_of(error: Refused) -> int:
    """Return the status of the answer to what was refused."""
    return STATUS[_kind(error)]


def retry_after(error: Refused) -> dict[str, str]:
    """Return the header that tells when to try again, if waiting helps (RFC 9110 section 10.2.3)."""
    seconds = error.seconds if isinstance(error, TooManyAttempts) else BUSY_SECONDS if isinstance(error, TooBusy) else 0
    return {"Retry-After": str(seconds)} if seconds else {}


def _kind(error: Refused) -> type[Refused]:
    return next(kind for kind in type(error).__mro__ if kind in STATUS)
