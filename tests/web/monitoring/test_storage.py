"""A site that cannot write is not ready, and says so without writing."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from newsletter.migrations import SchemaState
from newsletter.store.database import Database
from newsletter.web.monitoring import health
from newsletter.web.monitoring.health import HealthReading
from newsletter.web.monitoring.storage import FAILED_WRITE_SECONDS, Storage, StorageState, disk_state
from tests.chaos.small_disk import MOUNT, NAMESPACE
from tests.clock import NOON
from tests.processes import Process, is_ok, running
from tests.servers.missing_servers import missing
from tests.servers.server import free_port
from tests.transports import FakeMonotonic
from tests.waiting import TIMEOUT, eventually

ROOT = Path(__file__).parents[3]
STATES = """
import os, sys
from pathlib import Path
from newsletter.web.monitoring.storage import disk_state
folder = Path(sys.argv[1])
state = lambda: print(disk_state(folder, needs=1024 * 1024).value)
state()
(folder / "large").write_bytes(bytes(3_500_000))
state()
(folder / "large").unlink()
for number in range(10_000):
    try:
        (folder / str(number)).touch()
    except OSError:
        break
state()
"""


def on_a_small_disk(size: str, folder: Path, *command: str) -> list[str]:
    """Return the command that runs another one with a disk of this size at the folder."""
    probe = ["unshare", *NAMESPACE, "sh", "-c", MOUNT, "sh", size, str(folder)]
    if subprocess.run([*probe, "true"], capture_output=True, check=False).returncode:
        missing("small disk", "a disk cannot be mounted here")
    return [*probe, *command]


def test_a_disk_without_room_or_without_inodes_is_full(tmp_path):
    command = on_a_small_disk("4m,nr_inodes=500", tmp_path, sys.executable, "-c", STATES, str(tmp_path))
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert told == ["ok", "full", "full"]


@pytest.mark.slow
def test_a_disk_that_is_mounted_read_only_is_read_only(tmp_path):
    code = "from tests.web.monitoring.test_storage import *; print(disk_state(Path(sys.argv[1]), needs=1).value)"
    command = on_a_small_disk("4m,ro", tmp_path, sys.executable, "-c", code, str(tmp_path))
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.strip() == "read-only"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_we_may_not_write_is_read_only(tmp_path):
    (tmp_path / "file").touch(mode=0o400)
    assert disk_state(tmp_path / "file", needs=1) is StorageState.READ_ONLY


def answer(url: str) -> tuple[int, dict]:
    try:
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - our own
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
def test_a_site_whose_disk_fills_up_is_not_ready_until_there_is_room(tmp_path):
    port, disk = free_port(), tmp_path / "disk"
    disk.mkdir()
    base = f"http://127.0.0.1:{port}"
    values = {"NEWSLETTER_BASE_URL": base, "NEWSLETTER_DATA_DIR": str(disk)}
    command = on_a_small_disk("24m", disk, "newsletter", "serve", "--port", str(port))
    process = Process("serve", command, values, tmp_path)
    with running(process):
        eventually(lambda: is_ok(f"{base}/health/ready"))
        seen = Path(f"/proc/{process.pid}/root{disk}")
        fill(seen / "other")
        code, body = answer(f"{base}/health/ready")
        assert (code, body["status"], body["database"]) == (503, "not ready", "full")
        assert answer(f"{base}/health/work")[0] == 503
        assert answer(f"{base}/health/live")[0] == 200
        (seen / "other").unlink()
        eventually(lambda: is_ok(f"{base}/health/ready"))


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as large:
        for size in (1024 * 1024, 4096):
            try:
                while large.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def test_a_write_that_found_the_disk_full_counts_for_a_while(database):
    with closing(Database(database.url)) as own:
        clock, file = FakeMonotonic(), Path(make_url(own.url).database) if own.is_sqlite else None
        storage = Storage(own, file, None, monotonic=clock)

        def state() -> StorageState:
            with own.reading() as session:
                return storage.database_state(session)

        assert state() is StorageState.OK
        with pytest.raises(OperationalError), own.writing() as session:
            fail_for_lack_of_space(session, is_sqlite=own.is_sqlite)
        clock.now = own.disk_full_at + FAILED_WRITE_SECONDS - 1
        assert state() is StorageState.FULL
        clock.now += 1
        assert state() is StorageState.OK


def fail_for_lack_of_space(session, *, is_sqlite: bool) -> None:
    if not is_sqlite:
        session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$"))
    pages = session.scalar(text("PRAGMA page_count"))
    session.execute(text(f"PRAGMA max_page_count = {pages}"))
    session.execute(text("CREATE TABLE large AS SELECT zeroblob(1000000) AS octets"))


def test_a_postgresql_that_takes_no_rows_is_read_only(postgresql_url):
    url = make_url(postgresql_url)
    with closing(Database(postgresql_url)) as database:
        with database.writing() as session:
            session.execute(text(f"ALTER DATABASE {url.database} SET default_transaction_read_only = on"))
        database.engine.dispose()
        try:
            with database.reading() as session:
                assert Storage(database, None, None).database_state(session) is StorageState.READ_ONLY
        finally:
            with database.writing() as session:
                session.execute(text("SET TRANSACTION READ WRITE"))
                session.execute(text(f"ALTER DATABASE {url.database} RESET default_transaction_read_only"))


@pytest.mark.parametrize("state", StorageState)
def test_the_outbox_is_named_only_if_letters_cannot_be_written(state):
    body = health.report(HealthReading(SchemaState.CURRENT, outbox=state), now=NOON)
    assert body.get("outbox") == (None if state is StorageState.OK else state)
    assert body["status"] == ("ready" if state is StorageState.OK else "not ready")
