"""The site of the sign-up benchmark, as processes of uvicorn, and the load generator's process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from newsletter.bench import sample_issue
from newsletter.bench.environment import BenchEnvironment
from newsletter.bench.servers.server import Server, folder_for, free_port, listens
from newsletter.bench.signups import load
from newsletter.bench.signups.load import AnsweredVisitor, LoadOrders, LoadResult
from newsletter.errors import NewsletterError
from newsletter.settings import PREFIX

START_TIMEOUT = 60.0  # seconds for a site's processes to accept connections
END_SECONDS = 90.0  # for the load generator to end after its last answer
HOST_PAGE = "https://www.press.example/news/the-bends-of-a-river"  # that the box stands on
SITE, BARE = "newsletter.web:create_app", "newsletter.bench.signups.bare_insert:create_app"


@dataclass(frozen=True)
class BenchSite:
    """A running site."""

    name: str
    port: int
    server: Server

    def form(self) -> tuple[str, dict[str, str]]:
        """Return the URL of the newsletter's page, and the fields that the box on a publisher's page posts."""
        url = f"http://127.0.0.1:{self.port}/n/{sample_issue.SLUG}"
        answer = httpx2.get(f"{url}/form", headers={"Accept": "application/json"}, trust_env=False, timeout=30)
        fields = answer.raise_for_status().json()["fields"]
        return url, {"page": HOST_PAGE, **{name: str(value) for name, value in fields.items()}}


@contextmanager
def running_site(
    environment: BenchEnvironment, name: str, app: str, *, processes: int, environ: Mapping[str, str]
) -> Iterator[BenchSite]:
    """Run an application in that many processes, with production's options of uvicorn."""
    port = free_port()
    words = ["--factory", app, "--port", str(port), "--workers", str(processes), "--log-level", "warning"]
    words += ["--no-proxy-headers", "--no-server-header", "--timeout-graceful-shutdown", "5"]
    settings = {f"{PREFIX}TRUSTED_PROXIES": "127.0.0.1", **environ}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    command = [sys.executable, "-m", "uvicorn", *words]
    server = Server(
        command,
        folder_for(None, where=environment.home),
        user=None,
        environ={**inherited, **environment.environ, **settings},
    )
    try:
        server.wait_until(lambda: listens(port) and _answers(port), within=START_TIMEOUT)
        yield BenchSite(name, port, server)
    finally:
        server.stop()


def _answers(port: int) -> bool:
    try:
        httpx2.get(f"http://127.0.0.1:{port}/health/live", trust_env=False, timeout=5)
    except httpx2.TransportError:
        return False
    return True


class LoadProcess:
    """A load generator that runs until its orders are done, or until `stop`."""

    def __init__(self, orders: LoadOrders, folder: Path) -> None:
        self._log = Path(orders.log)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "newsletter.bench.signups.load"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        self._process.stdin.write(load.to_json(orders))
        self._process.stdin.close()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Let no further visitor come."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once; nothing if it has ended."""
        self._process.kill()
        self._process.wait()

    def result(self) -> tuple[list[AnsweredVisitor], LoadResult]:
        """Wait for its end; return the visitors' answers and its own figures."""
        self._process.wait(END_SECONDS)
        assert self._process.stdout
        line = self._process.stdout.read()
        if self._process.returncode or not line:
            raise NewsletterError(f"The load generator ended with status {self._process.returncode}.")
        return list(load.answered_visitors(self._log)), LoadResult(**json.loads(line))
