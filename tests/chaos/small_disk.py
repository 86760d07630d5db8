"""The service in one process, whose outbox lies on a disk of its own that is too small."""

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
from tests.chaos.running_issue import LOOK, SECRET, START, Ground
from tests.processes import Process, running, says_yes
from tests.servers.missing_servers import missing
from tests.servers.schema import migrate
from tests.servers.server import free_port
from tests.waiting import eventually

SMALL, ROOMY = "4m", "1g"

# A name space of its own lets also those mount a disk who are not root. The process keeps its number.
NAMESPACE = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"'


@dataclass(kw_only=True)
class Embedded(Ground):
    process: Process

    @property
    def outbox(self) -> Path:
        """As the process sees it."""
        return Path(f"/proc/{self.process.pid}/root{self.folder}/outbox")

    def make_room(self) -> None:
        """Give the disk more of it."""
        same = [f"--{name.strip('-')}" for name in NAMESPACE if name != "--map-root-user"]
        keep = ["--preserve-credentials"] if "--user" in same else []
        enter = ["nsenter", "--target", str(self.process.pid), *same, *keep]
        subprocess.run([*enter, "mount", "-o", f"remount,size={ROOMY}", str(self.folder / "outbox")], check=True)

    def arrivals(self) -> list[Arrival]:
        """The letters in the outbox. None can lie there twice: its name is its delivery's number."""
        return [_arrival(file) for file in (self.outbox / "new").glob("*.newsletter")]

    def taken(self) -> int:
        return sum(1 for _ in (self.outbox / "new").glob("*.newsletter"))


def _arrival(file: Path) -> Arrival:
    sender, recipient, content = file.read_bytes().split(b"\r\n", 2)
    message_id, to = names(content)
    at = file.stat().st_mtime
    addresses = [line.partition(b": ")[2].strip(b"<>").decode() for line in (sender, recipient)]
    return Arrival(TAKEN, 250, 0, at, at, *addresses, message_id, to, digest(content), len(content))


@contextmanager
def laid(folder: Path, *, audience: int, seed: int) -> Iterator[Embedded]:
    """Everything in one process, at work, the issue not yet approved."""
    port, outbox = free_port(), folder / "outbox"
    outbox.mkdir()
    settings = {
        "NEWSLETTER_BASE_URL": f"http://127.0.0.1:{port}",
        "NEWSLETTER_SECRET_KEYS": SECRET,
        "NEWSLETTER_DATA_DIR": str(folder),
        "NEWSLETTER_DATABASE_URL": f"sqlite:///{folder}/newsletter.db",
    }
    _mind_namespaces(outbox)
    serve = ["newsletter", "serve", "--port", str(port)]
    process = Process(
        "serve", ["unshare", *NAMESPACE, "sh", "-c", MOUNT, "sh", SMALL, str(outbox), *serve], settings, folder
    )
    migrate(settings["NEWSLETTER_DATABASE_URL"])
    with closing(Database(settings["NEWSLETTER_DATABASE_URL"])) as database:
        readers.settled(database, audience, seed=seed)
        with running(process):
            eventually(lambda: says_yes(f"{settings['NEWSLETTER_BASE_URL']}/health/ready"), within=START, every=LOOK)
            yield Embedded(
                folder=folder,
                database=database,
                settings=settings,
                audience=audience,
                chance=random.Random(seed),
                process=process,
            )


def _mind_namespaces(folder: Path) -> None:
    tried = subprocess.run(
        ["unshare", *NAMESPACE, "sh", "-c", MOUNT, "sh", SMALL, str(folder), "true"], capture_output=True, check=False
    )
    if tried.returncode:
        missing("small disk", tried.stderr.decode(errors="replace").strip())
