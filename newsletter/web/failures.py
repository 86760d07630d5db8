"""Turn errors into responses: a status and a page in the visitor's language, or JSON for clients that prefer it."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from newsletter.errors import LinkExpired, LinkRefused, LinkUnreadable, Malformed, NotFound, Refused
from newsletter.languages import catalogues
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable, translatable
from newsletter.redaction import log_failure
from newsletter.store.database_errors import is_unavailable
from newsletter.web.desk.frame import failures as desk_failures
from newsletter.web.desk.frame.refusals import OnlyByForm
from newsletter.web.negotiation import language_of
from newsletter.web.site import Site
from newsletter.web.surroundings import surroundings

log = logging.getLogger(__name__)


class TooLarge(Malformed):
    """A body has more bytes than its route allows."""

    def __init__(self, limit: int) -> None:
        told = translatable(
            "We accept at most %(limit)s kB at once. Please shorten what you entered, and send it again.",
            limit=limit // 1024,
        )
        super().__init__("form", told)


STATUS: dict[type[Refused], int] = {
    NotFound: 404,
    LinkUnreadable: 404,
    LinkExpired: 410,
    TooLarge: 413,
    Malformed: 422,
    Refused: 400,
}
TITLES: dict[type[Refused], Translatable] = {
    TooLarge: translatable("That was too much text"),
    Malformed: translatable("Please check the form"),
    Refused: translatable("We could not accept your request"),
}
UNAVAILABLE = translatable("The service is temporarily unavailable. Please try again in a few minutes.")


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
    assert isinstance(error, Refused)
    if desk_failures.is_at_desk(request):
        return desk_failures.refused(request, error)
    kind = next(kind for kind in type(error).__mro__ if kind in STATUS)
    status = STATUS[kind]
    if wants_json(request):
        field = error.field if isinstance(error, Malformed) else "request"
        return _json(request, field, error.told, status)
    known = error if isinstance(error, LinkRefused) else None
    if kind is NotFound:
        return _page(request, "not_found", status)
    if kind is LinkExpired:
        return _page(request, "link_expired", status, known, renewal=None, errors={})
    if kind is LinkUnreadable:
        return _page(request, "whole_link", status, known, state="cut")
    return _page(request, "refused", status, known, title=TITLES[kind], explanation=error.told, remedy=None)


def _http_error(request: Request, error: Exception) -> Response:
    """Answer an address or a method that no route has; a program gets the page's title as its message."""
    assert isinstance(error, HTTPException)
    title, explanation = _without_route(request, error.status_code)
    if desk_failures.is_at_desk(request):
        answer = desk_failures.refused(request, NotFound() if error.status_code == 404 else OnlyByForm())
    elif wants_json(request):
        answer = _json(request, "request", title, error.status_code)
    elif error.status_code == 404:
        answer = _page(request, "not_found", 404)
    else:
        answer = _page(request, "refused", error.status_code, title=title, explanation=explanation, remedy=None)
    headers: Any = error.headers
    answer.headers.update(headers or {})
    return answer


def _without_route(request: Request, status: int) -> tuple[Translatable, Translatable | None]:
    """Return what happened and what to do, as a page tells it."""
    if status == 404:
        return translatable("This page does not exist"), None
    if request.method == "GET":
        return (
            translatable("This page opens only when a form is sent"),
            translatable("Have you just signed up? Then look into your inbox for our letter."),
        )
    return (
        translatable("This page cannot take what you entered"),
        translatable("It did not reach us. Please enter it again on the sign-up page."),
    )


def _page(request: Request, name: str, status: int, known: LinkRefused | None = None, **context: Any) -> HTMLResponse:
    """Return a page that looks like the newsletter's as far as link and path tell which one it is."""
    site: Site = request.app.state.site
    return site.page(name, status=status, **surroundings(request, site, known), **context)


def _json(request: Request, field: str, told: Translatable | str, status: int) -> JSONResponse:
    site: Site = request.app.state.site
    spoken = language(surroundings(request, site)["tag"])
    return JSONResponse(
        {"errors": {field: spoken.text(told)}},
        status,
        {"Content-Language": spoken.tag, "Vary": "Accept-Language"},
    )


def _invalid_path(request: Request, _: Exception) -> Response:
    """Answer 404 to a path whose parameter is invalid, such as an issue number that is not a number."""
    return _refused(request, NotFound())


def status_of(error: Exception) -> int:
    """Return 503 if the database is unavailable or out of connections, so retrying helps (RFC 9110 section 15.6.4)."""
    return 503 if is_unavailable(error) else 500


def error_response(request: Request, error: Exception) -> Response:
    """Log an unexpected error without personal data, and return the page for it; without reading the database."""
    log_failure(log, "a page failed", error)
    status, tag = status_of(error), language_of(request, catalogues.LANGUAGES)
    if wants_json(request):
        spoken = language(tag)
        headers = {"Content-Language": spoken.tag, "Vary": "Accept-Language"}
        return JSONResponse({"errors": {"request": spoken.text(UNAVAILABLE)}}, status, headers)
    if desk_failures.is_at_desk(request):
        return desk_failures.failed(request, status)
    site: Site = request.app.state.site
    # The database may be what failed: this page asks it nothing.
    known = site.offered.last_read.newsletters.values()
    return site.page("trouble", tag=tag, negotiated=True, status=status, among=known)
