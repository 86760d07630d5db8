"""What the tests of the benchmark commands share."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from newsletter.bench.servers import postfix, postgresql, redis
from newsletter.bench.servers.server import ServerError
from tests.servers.missing_servers import missing
from tests.servers.server import roomy_folder


@pytest.fixture
def server_folders() -> Iterator[Path]:
    """A folder that the servers' users may enter, unlike pytest's. Skips the test if a server's program is missing."""
    programs = {
        "PostgreSQL": postgresql.programs,
        "Redis": redis.program,
        "smtp-sink": lambda: postfix.program("smtp-sink"),
    }
    for name, find in programs.items():
        try:
            find()
        except ServerError as error:
            missing(name, str(error))
    with TemporaryDirectory(dir=roomy_folder()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
