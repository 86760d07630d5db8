"""Turn errors into responses: a status and a page, or JSON for clients that prefer it."""

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
    """A body has more bytes than its route allows."""

    def __init__(self, limit: int) -> None:
        super().__init__("form", f"The request is too large; the limit is {limit // 1024:,} kB.")


STATUS: dict[type[Refused], int] = {
    NotFound: 404,
    LinkUnreadable: 404,
    LinkExpired: 410,
    TooLarge: 413,
    Malformed: 422,
    Refused: 400,
}
TITLES: dict[type[Refused], str] = {
    LinkUnreadable: "This link does not work",
    TooLarge: "The request is too large",
    Malformed: "Please check the form",
    Refused: "We could not accept your request",
}


def install(app: FastAPI) -> None:
    """Register the handlers that answer failures with our own pages."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_path)


def wants_json(request: Request) -> bool:
    """Whether the client is a program: it sent JSON, or accepts JSON but not HTML."""
    sent, accepted = (request.headers.get(name, "").lower() for name in ("content-type", "accept"))
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


def _http_error(request: Request, error: Exception) -> Response:
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
            title="This page opens only when a form is sent",
            explanation="Have you just signed up? Then look into your inbox for our letter.",
            remedy=None,
        )
    answer.headers.update(headers or {})
    return answer


def _invalid_path(request: Request, _: Exception) -> Response:
    """Answer 404 to a path whose parameter is invalid, such as an issue number that is not a number."""
    return _refused(request, NotFound())


def status_of(error: Exception) -> int:
    """Return 503 if the database is unavailable or out of connections, so retrying helps (RFC 9110 section 15.6.4)."""
    return 503 if is_unavailable(error) else 500


def error_response(request: Request, error: Exception) -> Response:
    """Log an unexpected error without personal data, and return the page for it."""
    log_failure(log, "a page failed", error)
    status = status_of(error)
    if wants_json(request):
        message = "The service is temporarily unavailable. Please try again in a few minutes."
        return JSONResponse({"errors": {"request": message}}, status)
    site: Site = request.app.state.site
    return site.page("trouble", status=status)
