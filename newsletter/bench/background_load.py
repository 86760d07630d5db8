"""Load while an issue is sent: an open snapshot, sign-ups and unsubscribes."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from threading import Event, Thread
from typing import Any

from sqlalchemy import create_engine, func, select, text

from newsletter import addresses, clock
from newsletter.bench.environment import BenchEnvironment
from newsletter.bench.readers import address_of
from newsletter.bench.recording_sink import RecordedLetter
from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.signups import signups
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.wordings.wordings import Wording
from newsletter.keys import Keyring
from newsletter.mail.delivery.assembly import BEGIN_WITHIN
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.letters.letters import Letter
from newsletter.newsletters import Newsletter
from newsletter.queues import broker
from newsletter.queues.wakeups import Queue
from newsletter.store.database import Database

LIMIT_SECONDS = BEGIN_WITHIN.total_seconds()


@contextmanager
def snapshot(database: Database) -> Iterator[None]:
    """Hold a REPEATABLE READ transaction open, as pg_dump does: PostgreSQL cannot vacuum rows that change meanwhile."""
    engine = create_engine(
        database.url, isolation_level="REPEATABLE READ", connect_args={"application_name": "open snapshot"}
    )
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        try:
            yield
        finally:
            connection.rollback()
            engine.dispose()


@contextmanager
def evenly(call: Callable[[int], None], times: int, *, within: float) -> Iterator[None]:
    """Call a function that many times, evenly over `within` seconds, in a thread that ends with the block.

    Raises the function's first exception at the end of the block.
    """
    stop, errors = Event(), list[Exception]()
    moments = [number * within / times for number in range(times)]
    thread = Thread(target=_call_at, args=(moments, call, stop, errors), name="load", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def _call_at(moments: list[float], call: Callable[[int], None], stop: Event, errors: list[Exception]) -> None:
    """Call the function at these moments, in seconds from now, until `stop` is set or an error occurs."""
    started = time.monotonic()
    for number, moment in enumerate(moments):
        if stop.wait(max(0.0, started + moment - time.monotonic())):
            return
        try:
            call(number)
        except Exception as error:  # noqa: BLE001 - raised at the end of the block
            errors.append(error)
            return


@dataclass
class SignupLoad:
    """Visitors who sign up: inserts the row and wakes the queue as POST /subscribe does."""

    environment: BenchEnvironment
    newsletter: Newsletter
    wording: Wording
    keyring: Keyring
    committed: dict[str, float] = field(default_factory=dict)  # monotonic time, by address

    @contextmanager
    def running(self, number: int, *, within: float) -> Iterator[None]:
        """Let that many visitors sign up, evenly over `within` seconds."""
        with (
            broker.connect(self.environment.settings.redis_url) as app,
            closing(broker.wakeups(app)) as wakeups,
            evenly(lambda each: self._sign_up(each, wakeups.wake), number, within=within),
        ):
            yield

    def _sign_up(self, number: int, wake: Callable[[Queue], None]) -> None:
        address = addresses.parse(f"visitor{number + 1}@bench.example")
        with self.environment.database.writing() as session:
            signups.receive(
                session,
                address=address,
                fold_key=addresses.fold(self.keyring, address.key),
                newsletters=[self.newsletter.id],
                wording_id=self.wording.id,
                form=self.wording.form_exhibit,
                evidence={EvidenceField.METHOD: EvidenceTerm.FORM_ON_THE_WEB},
                now=clock.now(),
            )
        self.committed[address.key] = time.monotonic()
        wake(Queue.URGENT)

    def figures(self, letters: list[RecordedLetter]) -> dict[str, Any]:
        """Return quantiles of the time from the sign-up's commit to the relay's 250, in milliseconds.

        `answered` is when the delivery was queued, `claimed` when a worker claimed it: both by the wall clock, because
        they come from the database.
        """
        taken = {letter.recipients[0]: letter.taken_at for letter in letters if letter.recipients}
        waits = sorted((taken[address] - at) * 1000 for address, at in self.committed.items() if address in taken)
        return {
            "signups": len(self.committed),
            "letters": len(waits),
            **_quantiles(waits),
            **self._step_medians(),
        }

    def _step_medians(self) -> dict[str, float | None]:
        steps = select(Signup.received_at, Delivery.queued_at, Delivery.first_tried_at)
        joined = steps.join(Letter, Letter.signup_id == Signup.id).join(Delivery, Delivery.letter_id == Letter.id)
        with self.environment.database.reading() as session:
            rows = session.execute(joined.where(Delivery.first_tried_at.is_not(None))).all()
        waits_by_step = {
            "answered": [(queued - received).total_seconds() * 1000 for received, queued, _ in rows],
            "claimed": [(tried - received).total_seconds() * 1000 for received, _, tried in rows if tried],
        }
        return {f"{step}_p50_ms": round(median(waits), 1) if waits else None for step, waits in waits_by_step.items()}


def _quantiles(waits: list[float]) -> dict[str, float | None]:
    percentiles = quantiles(waits, n=100, method="inclusive") if len(waits) > 1 else waits * 99
    return {
        "p50_ms": round(percentiles[49], 1) if percentiles else None,
        "p99_ms": round(percentiles[98], 1) if percentiles else None,
        "longest_ms": round(waits[-1], 1) if waits else None,
    }


@dataclass
class UnsubscribeLoad:
    """Readers who unsubscribe: every other one while their letter is claimed or next in the queue."""

    environment: BenchEnvironment
    readers: int
    chance: random.Random = field(default_factory=random.Random)
    left: dict[str, float] = field(default_factory=dict)  # monotonic time of the commit, by address

    @contextmanager
    def running(self, number: int, *, within: float) -> Iterator[None]:
        """Let that many readers unsubscribe, evenly over `within` seconds."""
        with evenly(self._unsubscribe, number, within=within):
            yield

    def _unsubscribe(self, number: int) -> None:
        reader_id = (self._next_reader() if number % 2 else None) or self.chance.randint(1, self.readers)
        with self.environment.database.writing() as session:
            reader = subscribers.lock_by_id(session, reader_id)
            assert reader
            subscriptions = subscribers.subscriptions(session, reader.id)
            stopped = decisions.withdraw(
                session, reader, newsletters=subscriptions, how=EvidenceTerm.ONE_CLICK, trace=None, now=clock.now()
            )
            address = reader.address or ""
        if stopped:
            self.left[address] = time.monotonic()

    def _next_reader(self) -> int | None:
        """Return a reader whose delivery a worker has claimed, or else one whose delivery is next in the queue."""
        with self.environment.database.reading() as session:
            for status in (DeliveryStatus.CLAIMED, DeliveryStatus.QUEUED):
                query = select(Delivery.subscriber_id).where(has_status(status), Delivery.subscriber_id <= self.readers)
                if next_readers := session.scalars(query.order_by(Delivery.due_at, Delivery.id).limit(50)).all():
                    return self.chance.choice(next_readers)
        return None

    def figures(self, letters: list[RecordedLetter]) -> dict[str, Any]:
        """Return how many letters began (MAIL FROM) after their reader's unsubscribe, and how late, in seconds."""
        after = sorted(
            letter.mail_at - self.left[address]
            for letter in letters
            for address in letter.recipients
            if address in self.left and letter.mail_at > self.left[address]
        )
        return {
            "left": len(self.left),
            "written_to_afterwards": len(after),
            "latest_mail_s": round(after[-1], 3) if after else None,
            "mails_later_than_limit": sum(1 for each in after if each > LIMIT_SECONDS),
            "limit_s": LIMIT_SECONDS,
        }


def compare(
    environment: BenchEnvironment, letter: int, letters: list[RecordedLetter], *, readers: int
) -> dict[str, int]:
    """Compare the sink's log of an issue with the deliveries in the database, for each reader."""
    readers_addresses = {address_of(number) for number in range(1, readers + 1)}
    with environment.database.reading() as session:
        sent = select(Subscriber.address).join(Delivery, Delivery.subscriber_id == Subscriber.id)
        recorded = set(session.scalars(sent.where(Delivery.letter_id == letter, has_status(DeliveryStatus.SENT))))
        audience = session.scalar(select(func.count()).where(Delivery.letter_id == letter)) or 0
    arrived = [
        (address, each.message_id) for each in letters for address in each.recipients if address in readers_addresses
    ]
    reached = {address for address, _ in arrived}
    return {
        "audience": audience,
        "sent": len(recorded),
        "arrived": len(arrived),
        "lost": len(recorded - reached),
        "doubled": len(arrived) - len(reached),
        "unrecorded": len(reached - recorded),
        "message_ids": len({message_id for _, message_id in arrived}),
    }
