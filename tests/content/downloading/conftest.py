"""A sandboxed downloader for tests, with limits that a test can exceed soon."""

from collections.abc import Iterator

import pytest

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.downloading.limits import Limits
from newsletter.content.downloading.sandboxed import SandboxedDownloader
from tests.waiting import TIMEOUT

ALLOW = (AllowedHost.parse("127.0.0.1"),)


@pytest.fixture(scope="session")
def sandboxed() -> Iterator[SandboxedDownloader]:
    """A downloader that gives a document one second of a processor, and a server two seconds.

    The limit of the whole download is longer than a test waits, so that no test passes by it instead.
    """
    limits = Limits(cpu_seconds=1, seconds=2 * TIMEOUT)
    downloader = SandboxedDownloader(allow=ALLOW, fetch_seconds=2, limits=limits)
    yield downloader
    downloader.close()
