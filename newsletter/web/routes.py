"""The routes of the site, built once, when this module is imported, and shared by all applications of a process.

FastAPI builds an included router's routes anew for each application, and not before a request looks for its route among
them: the first visitor would wait a tenth of a second, and so would each test.
"""

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import iter_route_contexts

from newsletter.web.desk import pages as desk_pages
from newsletter.web.guards import refuse_by_length
from newsletter.web.local import outbox_pages
from newsletter.web.monitoring import health, metrics
from newsletter.web.public import pages as public_pages


def _router() -> APIRouter:
    return APIRouter(dependencies=[Depends(refuse_by_length)])


_site, _outbox = _router(), _router()
public_pages.add(_site)
_site.include_router(health.router)
_site.include_router(metrics.router)
desk_pages.add(_site)
_outbox.include_router(outbox_pages.router)
for _ in iter_route_contexts([*_site.routes, *_outbox.routes]):
    pass  # each step builds a route


def install(app: FastAPI, *, with_outbox: bool) -> None:
    """Add the routes to the application."""
    app.router.routes.extend(_site.routes)
    if with_outbox:
        app.router.routes.extend(_outbox.routes)
