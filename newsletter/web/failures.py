"""Errors as answers: what the house says in its own words becomes a status and a page, or JSON where JSON was asked."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from newsletter.errors import LinkExpired, LinkUnreadable, Malformed, NotFound, Refused
from newsletter.redaction import log_failure
from newsletter.store.database_errors import is_unavailable
from newsletter.web.site import Site

log = logging.getLogger(__name__)


class TooLarge(Malformed):
    """A body with more bytes than its route takes."""

    def __init__(self, limit: int) -> None:
        super().__init__("form", f"The form is too large: {limit // 1024:,} kB is the most that can be sent.")


STATUS: dict[type[Refused], int] = {
    NotFound: 404,
    LinkUnreadable: 404,
    LinkExpired: 410,
    TooLarge: 413,
    Malformed: 422,
    Refused: 400,
}
TITLES: dict[type[Refused], str] = {
    LinkUnreadable: "This link is not complete",
    TooLarge: "The form is too large",
    Malformed: "Something in the form cannot be used",
    Refused: "We could not accept that",
}


def install(app: FastAPI) -> None:
    """Answer every failure in the house's own look."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _no_such_page)


def wants_json(request: Request) -> bool:
    """Whether a program asks: it sent JSON, or prefers it to HTML."""
    sent, accepted = request.headers.get("content-type", ""), request.headers.get("accept", "")
    return sent.startswith("application/json") or ("json" in accepted and "html" not in accepted)


def _refused(request: Request, error: Exception) -> Response:
    kind = next(kind for kind in type(error).__mro__ if kind in STATUS)
    status = STATUS[kind]
    if wants_json(request):
        field = error.field if isinstance(error, Malformed) else "request"
        return JSONResponse({"errors": {field: str(error)}}, status)
    site: Site = request.app.state.site
    if kind is NotFound:
        return site.page("not_found", status=status)
    if kind is LinkExpired:
        return site.page("link_expired", status=status)
    return site.page("refused", status=status, title=TITLES[kind], explanation=str(error), remedy=None)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if wants_json(request):
        return JSONResponse({"errors": {"request": error.detail}}, error.status_code)
    site: Site = request.app.state.site
    headers: Any = error.headers
    if error.status_code == 404:
        answer = site.page("not_found", status=404)
    else:
        answer = site.page(
            "refused",
            status=error.status_code,
            title="That does not work here",
            explanation=f"The server answered: {error.detail}.",
            remedy=None,
        )
    answer.headers.update(headers or {})
    return answer


def _no_such_page(request: Request, _: Exception) -> Response:
    """A path whose number is no number: there is no such page."""
    return _refused(request, NotFound())


def status_of(error: Exception) -> int:
    """503 where the database is away or has no connection left: asking again helps (RFC 9110 section 15.6.4)."""
    return 503 if is_unavailable(error) else 500


def trouble(request: Request, error: Exception) -> Response:
    """The answer where a page fails, and a line in the log that tells the way there but no value on it."""
    log_failure(log, "a page failed", error)
    status = status_of(error)
    if wants_json(request):
        return JSONResponse({"errors": {"request": "That does not work just now; nothing was lost."}}, status)
    site: Site = request.app.state.site
    return site.page("trouble", status=status)
