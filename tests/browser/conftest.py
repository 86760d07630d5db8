"""One Chromium and one service for each module of these tests."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser

from newsletter import newsletters
from newsletter.cli.serve import listening
from newsletter.web.http_protocol import PunctualHTTP
from tests.browser.chromium import running_chromium
from tests.browser.contents import CONSENT, NEWSLETTERS, schedule_issue
from tests.servers.server import free_port
from tests.whole_service import WholeService, whole_service


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def town(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeService]:
    """A service that a browser reaches: a newsletter in each of three languages, each with a reader and an issue."""
    folder = tmp_path_factory.mktemp("town")
    shutil.copy(sqlite_template, folder / "newsletter.sqlite")
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    with (
        whole_service(f"sqlite:///{folder}/newsletter.sqlite", folder, base_url=base_url) as service,
        _served(service.browser.app, port),
    ):
        for language, columns in NEWSLETTERS.items():
            service.newsletter(language=language, **columns)
            service.publish_words(columns["slug"], CONSENT[language], language)
            service.reader(f"{columns['slug']}@example.org", columns["slug"])
        with service.site.database.writing() as session:
            for written in newsletters.every(session):
                schedule_issue(session, written)
        service.clock.advance(days=1)
        service.run()
        yield service


@contextmanager
def _served(app: FastAPI, port: int) -> Iterator[None]:
    """Serve an application that has been started already, as it is served in production."""
    with listening("127.0.0.1", port) as listener:
        configured = uvicorn.Config(app, http=PunctualHTTP, lifespan="off", access_log=False, log_config=None)
        server = uvicorn.Server(configured)
        thread = threading.Thread(target=server.run, args=([listener],), name="site", daemon=True)
        thread.start()
        yield
        server.should_exit = True
        thread.join()
