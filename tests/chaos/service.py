"""The service of these tests: the processes of production, and what there is to be said of them in the end."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.store.database import Database
from tests.journeys.running_service import founded
from tests.processes import SHORT_LEASES, Process, Production, production
from tests.servers.smtp_sink import SmtpSink
from tests.waiting import eventually

CONNECTIONS = 1  # to the relay
RATE = 200  # letters a second: slow enough for a worker to be killed with letters in its hands
PATIENCE = 120  # seconds: a worker that is killed keeps its letters until its lease expires


@dataclass(frozen=True)
class Service:
    """Web, worker and beat, a newsletter, and the relay's inbox."""

    processes: Production
    database: Database
    sink: SmtpSink
    folder: Path

    def deliveries(self, status: DeliveryStatus) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).where(Delivery.status == status)) or 0

    def command(self, *words: str, name: str = "command") -> Process:
        """The `newsletter` command, running."""
        process = Process(name, ["newsletter", *words], self.processes.settings, self.folder)
        process.start()
        return process

    def in_the_end(self, readers: int) -> Counter[str]:
        """How often each was written to, once there is a letter for so many; those to one reader are the same one."""
        eventually(lambda: self.deliveries(DeliveryStatus.SENT) == readers, within=PATIENCE, every=0.25)
        letters = self.sink.messages()
        assert len({(letter["To"], letter["Message-ID"]) for letter in letters}) == readers
        doctor = self.command("doctor", name="doctor")
        assert (doctor.wait(), doctor.output()[:2]) == (0, "ok")
        return Counter(letter["To"] for letter in letters)


@contextmanager
def service(
    database_url: str, redis_url: str, sink: SmtpSink, folder: Path, *, rate: float = RATE
) -> Iterator[Service]:
    relay_url = f"{sink.url}?rate={rate}&connections={CONNECTIONS}"
    with (
        founded(database_url) as database,
        production(database_url, redis_url, relay_url, folder, level="warning", worker=SHORT_LEASES) as made,
    ):
        yield Service(made, database, sink, folder)
