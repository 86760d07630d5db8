"""newsletter serve: run the service as one process."""

import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvicorn
from fastapi import FastAPI

from newsletter import audit_log, clock, logs, startup
from newsletter.cli import console
from newsletter.errors import NewsletterError
from newsletter.queues import broker
from newsletter.settings import Settings
from newsletter.upgrade import bring_up_to_date
from newsletter.web import create_app
from newsletter.web.http_protocol import PunctualHTTP
from workers import context, ending
from workers.app import make_app
from workers.embedded import embedded
from workers.tasks import register

HTTP_PORT = 80
LOCALHOST = ("localhost", "127.0.0.1", "::1")  # where the name leads, of all loopback addresses
EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened on
SHUTDOWN_SECONDS = 5  # for open requests to finish when the site shuts down

log = logging.getLogger(__name__)

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")]


def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve the site; without Redis, run worker and beat in the same process."""
    settings = console.configured()
    logs.configure()
    settings = at_address(settings, host, port)
    startup.warn_of_public_http(settings)
    startup.tell_of_robots(settings)
    with _exiting_on_sigterm(), listening(host, port) as listener:
        bring_up_to_date(settings, actor=audit_log.system_user(), now=clock.now())
        with nullcontext(create_app(settings)) if settings.redis_url else embedded_app(settings) as app:
            log.info("the site is at %s%s", url_of(host, port), settings.base_path)
            try:
                _server(app).run([listener])
            finally:
                ending.exit_after(ending.GRACE)


def at_address(settings: Settings, host: str, port: int) -> Settings:
    """Return the settings of a site that listens there: without BASE_URL, links in letters lead to it.

    Logs a warning if links would lead nowhere: BASE_URL is on this machine and names another port, or separate workers
    (Redis) write the letters, which do not know where the site listens.
    """
    url = url_of(host, port)
    is_set = "base_url" in settings.model_fields_set
    has_other_port = settings.is_local and (urlsplit(settings.base_url).port or HTTP_PORT) != port
    if has_other_port if is_set else settings.redis_url and url != settings.base_url:
        log.warning(
            "NEWSLETTER_BASE_URL is %s, but the site listens on port %s: "
            "links in letters will not work. Set it to %s%s",
            settings.base_url,
            port,
            url,
            ", also for the workers" if settings.redis_url else "",
        )
    return settings if is_set else settings.model_copy(update={"base_url": url})


def url_of(host: str, port: int) -> str:
    """Return the URL of a site that listens there, for a browser on this machine if that is possible."""
    name = "localhost" if host in (*EVERY_ADDRESS, *LOCALHOST) else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


@contextmanager
def _exiting_on_sigterm() -> Iterator[None]:
    """Unwind on SIGTERM: uvicorn raises it again after closing the site, and the default would cut off the worker."""
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def embedded_app(settings: Settings) -> Iterator[FastAPI]:
    """Build the site, with worker and beat in threads of this process."""
    with (
        closing(context.build(settings)) as built,
        make_app(None) as celery,
        closing(broker.wakeups(celery)) as wakeups,
    ):
        register(celery, lambda: built, wakeups)
        with embedded(celery, stop=built.stop):
            yield create_app(settings, wakeups)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind the port before startup begins, so that early connections wait; raises NewsletterError if it is not free."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        text = f"Cannot listen on {host}, port {port}; choose another port with --port."
        raise NewsletterError(text) from error
    with listener:
        yield listener


@contextmanager
def served(app: FastAPI, host: str, port: int) -> Iterator[None]:
    """Serve the site from a thread within the block; raises NewsletterError if it does not start."""
    with listening(host, port) as listener:
        server = _server(app)
        thread = threading.Thread(target=server.run, args=([listener],), name="site", daemon=True)
        thread.start()
        try:
            while thread.is_alive() and not server.started:
                thread.join(0.01)
            if not server.started:
                raise NewsletterError("The site did not start; see the lines above.")
            yield
        finally:
            server.should_exit = True
            thread.join()


def _server(app: FastAPI) -> uvicorn.Server:
    # No access log: a path may hold a token. No proxy headers: TRUSTED_PROXIES alone decides which proxies to believe.
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=PunctualHTTP,
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
