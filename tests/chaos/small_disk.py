"""The service in one process, with its outbox on a separate disk that is too small."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from newsletter.store.database import Database
from tests.chaos import readers
from tests.chaos.relay_log import TAKEN, Arrival, digest, names
from tests.chaos.running_issue import POLL_SECONDS, SECRET, START_TIMEOUT, RunningIssue
from tests.processes import Process, is_ok, running
from tests.servers.missing_servers import missing
from tests.servers.schema import migrate
from tests.servers.server import free_port
from tests.waiting import eventually

SMALL, LARGE = "4m", "1g"

# In its own namespace a process may mount a disk without being root. It keeps its process ID.
NAMESPACE = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"'


@dataclass(kw_only=True)
class EmbeddedService(RunningIssue):
    """An issue sent by a single process."""

    process: Process

    @property
    def outbox(self) -> Path:
        """The path of the outbox in the process's namespace."""
        return Path(f"/proc/{self.process.pid}/root{self.folder}/outbox")

    def make_room(self) -> None:
        """Enlarge the disk."""
        same = [f"--{name.strip('-')}" for name in NAMESPACE if name != "--map-root-user"]
        keep = ["--preserve-credentials"] if "--user" in same else []
        enter = ["nsenter", "--target", str(self.process.pid), *same, *keep]
        subprocess.run([*enter, "mount", "-o", f"remount,size={LARGE}", str(self.folder / "outbox")], check=True)

    def arrivals(self) -> list[Arrival]:
        """Return the letters in the outbox; none can be there twice, because the delivery's id is its file name."""
        return [_arrival(file) for file in (self.outbox / "new").glob("*.newsletter")]

    def taken(self) -> int:
        """Return the number of letters in the outbox."""
        return sum(1 for _ in (self.outbox / "new").glob("*.newsletter"))


def _arrival(file: Path) -> Arrival:
    sender, recipient, content = file.read_bytes().split(b"\r\n", 2)
    message_id, to = names(content)
    at = file.stat().st_mtime
    addresses = [line.partition(b": ")[2].strip(b"<>").decode() for line in (sender, recipient)]
    return Arrival(TAKEN, 250, 0, at, at, *addresses, message_id, to, digest(content), len(content))


@contextmanager
def running_on_small_disk(folder: Path, *, audience: int, seed: int) -> Iterator[EmbeddedService]:
    """Run the service in one process; the issue is not yet approved."""
    port, outbox = free_port(), folder / "outbox"
    outbox.mkdir()
    settings = {
        "NEWSLETTER_BASE_URL": f"http://127.0.0.1:{port}",
        "NEWSLETTER_SECRET_KEYS": SECRET,
        "NEWSLETTER_DATA_DIR": str(folder),
        "NEWSLETTER_DATABASE_URL": f"sqlite:///{folder}/newsletter.db",
    }
    _check_namespaces(outbox)
    serve = ["newsletter", "serve", "--port", str(port)]
    process = Process(
        "serve", ["unshare", *NAMESPACE, "sh", "-c", MOUNT, "sh", SMALL, str(outbox), *serve], settings, folder
    )
    migrate(settings["NEWSLETTER_DATABASE_URL"])
    with closing(Database(settings["NEWSLETTER_DATABASE_URL"])) as database:
        readers.insert_newsletter(database, audience, seed=seed)
        with running(process):
            eventually(
                lambda: is_ok(f"{settings['NEWSLETTER_BASE_URL']}/health/ready"),
                within=START_TIMEOUT,
                every=POLL_SECONDS,
            )
            yield EmbeddedService(
                folder=folder,
                database=database,
                settings=settings,
                audience=audience,
                chance=random.Random(seed),
                process=process,
            )


def _check_namespaces(folder: Path) -> None:
    """Skip the test if this user may not mount a disk in a namespace."""
    result = subprocess.run(
        ["unshare", *NAMESPACE, "sh", "-c", MOUNT, "sh", SMALL, str(folder), "true"], capture_output=True, check=False
    )
    if result.returncode:
        missing("small disk", result.stderr.decode(errors="replace").strip())
