"""newsletter serve and migrate: the service as one process, and its schema."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from newsletter import broker, migrations, templating
from newsletter.cli import house
from newsletter.database import Database
from newsletter.errors import NewsletterError
from newsletter.settings import Settings
from newsletter.web import create_app, forms
from workers import works
from workers.app import make_app
from workers.embedded import embedded
from workers.tasks import register

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.")]


def migrate() -> None:
    """Bring the database up to date; safe to run twice, and while the service runs."""
    bring_up_to_date(house.configured())
    house.out.print("The database is up to date.")


def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve the site; without Redis also worker and beat, all in this process."""
    settings = house.configured()
    bring_up_to_date(settings)
    if settings.redis_url:
        uvicorn.Server(_config(create_app(settings), host, port)).run()
    else:
        with working(settings) as app:
            uvicorn.Server(_config(app, host, port)).run()


def bring_up_to_date(settings: Settings) -> None:
    """Migrate, and publish again what wordings have to show since."""
    if settings.database.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        migrations.migrate(database)
        with database.writing() as session:
            forms.publish_current(session, templating.environment(), now=house.now())
    finally:
        database.close()


@contextmanager
def working(settings: Settings) -> Iterator[FastAPI]:
    """The site, with worker and beat in the threads of this process."""
    with closing(works.build(settings)) as made, make_app(None) as celery, closing(broker.doorbell(celery)) as doorbell:
        register(celery, lambda: made, lambda: doorbell)
        with embedded(celery):
            yield create_app(settings, doorbell)


@contextmanager
def served(app: FastAPI, host: str, port: int) -> Iterator[None]:
    """The site, answering from a thread while the caller does something else."""
    server = uvicorn.Server(_config(app, host, port))
    thread = threading.Thread(target=server.run, name="site", daemon=True)
    thread.start()
    try:
        while thread.is_alive() and not server.started:
            thread.join(0.01)
        if not server.started:
            raise NewsletterError(f"Nothing can listen on {host}, port {port}; name another one with --port.")
        yield
    finally:
        server.should_exit = True
        thread.join()


def _config(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    # Who is believed about whom a proxy speaks for says TRUSTED_PROXIES alone. No access log: what is worth knowing of a request does not need its path, which may hold a token.
    return uvicorn.Config(app, host=host, port=port, access_log=False, proxy_headers=False, log_level="warning", server_header=False)
