"""The service under sign-ups: production's processes, and the check of all letters at the end."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.store.database import Database
from tests.journeys.running_service import with_newsletter
from tests.processes import SHORT_LEASES, Process, Production, production
from tests.servers.smtp_sink import SmtpSink
from tests.waiting import eventually

CONNECTIONS = 1  # to the relay
RATE = 200  # letters a second: slow enough to kill a worker that has claimed deliveries
TIMEOUT = 120  # seconds: a killed worker keeps its deliveries until its lease expires


@dataclass(frozen=True)
class Service:
    """Web, worker and beat, a newsletter, and the relay's inbox."""

    processes: Production
    database: Database
    sink: SmtpSink
    folder: Path

    def deliveries(self, status: DeliveryStatus) -> int:
        """Return the number of deliveries with this status."""
        with self.database.reading() as session:
            return session.scalar(select(func.count()).where(Delivery.status == status)) or 0

    def command(self, *words: str, name: str = "command") -> Process:
        """Start the `newsletter` command."""
        process = Process(name, ["newsletter", *words], self.processes.settings, self.folder)
        process.start()
        return process

    def letters_by_reader(self, readers: int) -> Counter[str]:
        """Wait until that many letters are sent; return how many arrived for each reader.

        Fails if two letters to one reader differ, or if doctor finds something wrong.
        """
        eventually(lambda: self.deliveries(DeliveryStatus.SENT) == readers, within=TIMEOUT, every=0.25)
        letters = self.sink.messages()
        assert len({(letter["To"], letter["Message-ID"]) for letter in letters}) == readers
        doctor = self.command("doctor", name="doctor")
        assert (doctor.wait(), doctor.output()[:2]) == (0, "ok")
        return Counter(letter["To"] for letter in letters)


@contextmanager
def running_service(
    database_url: str, redis_url: str, sink: SmtpSink, folder: Path, *, rate: float = RATE
) -> Iterator[Service]:
    """Run the service with one newsletter; `rate` in letters a second."""
    relay_url = f"{sink.url}?rate={rate}&connections={CONNECTIONS}"
    with (
        with_newsletter(database_url) as database,
        production(database_url, redis_url, relay_url, folder, level="warning", worker=SHORT_LEASES) as processes,
    ):
        yield Service(processes, database, sink, folder)
