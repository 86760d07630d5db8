"""newsletter serve: the service as one process."""

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from newsletter import audit_log, clock, logs
from newsletter.cli import console
from newsletter.errors import NewsletterError
from newsletter.queues import broker
from newsletter.settings import Settings
from newsletter.upgrade import bring_up_to_date
from newsletter.web import create_app
from workers import context, ending
from workers.app import make_app
from workers.embedded import embedded
from workers.tasks import register

PATIENCE = 5  # seconds for a visitor to finish a request when the site is told to end

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")]


def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve the site; without Redis also worker and beat, all in this process."""
    settings = console.configured()
    logs.configure()
    with _leaving_once(), listening(host, port) as door:
        bring_up_to_date(settings, actor=audit_log.system_user(), now=clock.now())
        with nullcontext(create_app(settings)) if settings.redis_url else working(settings) as app:
            try:
                _server(app).run([door])
            finally:
                ending.abandon()


@contextmanager
def _leaving_once() -> Iterator[None]:
    """SIGTERM unwinds: uvicorn raises it once more when the site is closed, and would cut short what has begun."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def working(settings: Settings) -> Iterator[FastAPI]:
    """The site, with worker and beat in the threads of this process."""
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
    """The port, taken before anything else begins; whoever calls meanwhile waits. Refused if it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        door = socket.create_server((host, port), family=family)
    except OSError as error:
        text = f"Nothing can listen on {host}, port {port}; name another one with --port."
        raise NewsletterError(text) from error
    with door:
        yield door


@contextmanager
def served(app: FastAPI, host: str, port: int) -> Iterator[None]:
    """The site, answering from a thread while the caller does something else."""
    with listening(host, port) as door:
        server = _server(app)
        thread = threading.Thread(target=server.run, args=([door],), name="site", daemon=True)
        thread.start()
        try:
            while thread.is_alive() and not server.started:
                thread.join(0.01)
            if not server.started:
                raise NewsletterError("The site did not start; the lines above say why.")
            yield
        finally:
            server.should_exit = True
            thread.join()


def _server(app: FastAPI) -> uvicorn.Server:
    # No access log: what is worth knowing of a request does not need its path, which may hold a token. TRUSTED_PROXIES
    # alone says whom to believe about whom a proxy speaks for.
    return uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE,
        )
    )
