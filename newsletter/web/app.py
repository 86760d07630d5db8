"""Build the web application."""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig

from newsletter import audit_log, key_registry, logs, settings, startup
from newsletter.consent.wordings import wording_publication
from newsletter.errors import Misconfigured
from newsletter.queues import broker
from newsletter.queues.wakeups import Wakeups
from newsletter.settings import Settings
from newsletter.store.database import Database
from newsletter.web import failures, routes
from newsletter.web.access_log import AccessLog
from newsletter.web.desk import pages as desk_pages
from newsletter.web.desk.frame.own_host import DeskHost
from newsletter.web.guards import Guards, refuse_by_length
from newsletter.web.monitoring import health, metrics
from newsletter.web.public_responses import PublicResponses
from newsletter.web.repetition import Repetition
from newsletter.web.site import Site
from newsletter.web.under_path import UnderPath

# Seconds between two wake-ups of the workers. The first sign-up wakes them at once; a message costs the site as much
# processor time as a sign-up, so those that follow share one.
WAKE_INTERVAL = 0.5

# A process may have a provider of OpenTelemetry. FastAPI would give it spans with whole paths and queries, and records
# with the messages of errors, so link tokens and addresses would leave this machine.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(
    configured: Settings | None = None,
    wakeups: Wakeups | None = None,
    *,
    database: Database | None = None,
    monitoring: Database | None = None,
) -> FastAPI:
    """Return the application with these settings, or the environment's (`uvicorn --factory newsletter.web:create_app`).

    Without `wakeups` it wakes the workers through Redis; raises Misconfigured if no Redis is set.
    The pages use `database`; health and metrics use `monitoring`, so that they answer even when the pages hold every
    connection. A database that is not given is opened from the settings. The application closes both on shutdown.
    """
    if configured is None:
        logs.configure(logging.getLogger("uvicorn.error").getEffectiveLevel())  # uvicorn's --log-level
        return _from_environment()
    # No redirects to another spelling of a path: they would repeat the request's Host header, which may be forged.
    app = FastAPI(
        title="Newsletter",
        openapi_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        lifespan=_lifespan,
        dependencies=[Depends(refuse_by_length)],  # of routes that are added to it; the site's own have it already
    )
    app.state.site = Site.build(configured, wakeups or _through_redis(configured), database)
    monitoring = monitoring or Database(configured.database)
    app.state.health = health.timed_query(monitoring, configured, pages=app.state.site.database)
    app.state.counts = metrics.timed_query(monitoring)
    failures.install(app)
    app.add_middleware(Repetition)
    app.add_middleware(DeskHost)
    app.add_middleware(PublicResponses)
    app.add_middleware(AccessLog)
    app.add_middleware(Guards)
    if root := app.state.site.root:
        app.add_middleware(UnderPath, root=root)  # the middleware added last is the outermost
    desk_pages.install(app)
    routes.install(app, with_outbox=app.state.site.shows_outbox)
    return app


def _from_environment() -> FastAPI:
    with startup.exit_on_error():
        configured = settings.load()
    startup.warn_of_public_http(configured)
    startup.tell_of_robots(configured)
    with startup.exit_on_error(), startup.explain_unreachable(configured):
        startup.keep_private(configured)
        app = create_app(configured)
        startup.check(app.state.site.database, app.state.site.keyring, now=datetime.now(UTC))
    # What exists now stays until the end. To look through it again and again would hold up a page for 0.2 s each time.
    gc.collect()
    gc.freeze()
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    site: Site = app.state.site
    with closing(app.state.health), closing(app.state.counts), closing(site.database) as database:
        with database.writing() as session:
            key_registry.check(session, site.keyring, now=datetime.now(UTC))
            # Before the first visitor sees this release's form, the newest wording must name it as its exhibit.
            wording_publication.publish_current(session, site.templates, actor=audit_log.SITE, now=datetime.now(UTC))
        with closing(site.activity), closing(site.signups):
            yield


def _through_redis(configured: Settings) -> Wakeups:
    if configured.redis_url:
        return broker.wakeups(broker.connect(configured.redis_url), interval=WAKE_INTERVAL)
    raise Misconfigured(
        "NEWSLETTER_REDIS_URL: not set. A separate web process needs it to wake the workers; "
        "to run everything in one process, use: newsletter serve"
    )
