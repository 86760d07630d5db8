"""A whole service whose site a browser reaches."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from newsletter.cli.serve import listening
from newsletter.web.http_protocol import PunctualHTTP
from tests.servers.server import free_port
from tests.whole_service import WholeService, whole_service


@contextmanager
def reachable_service(template: Path, folder: Path, **values: Any) -> Iterator[WholeService]:
    """Run a service on a copy of a migrated SQLite database, with its files in the folder and these settings."""
    shutil.copy(template, folder / "newsletter.sqlite")
    port = free_port()
    url, base_url = f"sqlite:///{folder}/newsletter.sqlite", f"http://127.0.0.1:{port}"
    with whole_service(url, folder, base_url=base_url, **values) as service, served(service.browser.app, port):
        yield service


@contextmanager
def served(app: FastAPI, port: int) -> Iterator[None]:
    """Serve an application that has been started already, as it is served in production."""
    with listening("127.0.0.1", port) as listener:
        configured = uvicorn.Config(app, http=PunctualHTTP, lifespan="off", access_log=False, log_config=None)
        server = uvicorn.Server(configured)
        thread = threading.Thread(target=server.run, args=([listener],), name="site", daemon=True)
        thread.start()
        yield
        server.should_exit = True
        thread.join()
