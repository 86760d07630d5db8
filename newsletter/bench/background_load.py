"""What happens while an issue leaves: somebody holds a snapshot, some sign up, some leave."""

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
from newsletter.bench.recording_sink import Noted
from newsletter.consent import decisions, signups, subscribers
from newsletter.consent.signups import Signup
from newsletter.consent.subscribers import Subscriber
from newsletter.consent.wordings import Wording
from newsletter.keys import Keyring
from newsletter.mail.delivery.assembly import BEGIN_WITHIN
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.letters.letters import Letter
from newsletter.newsletters import Newsletter
from newsletter.queues import broker
from newsletter.queues.wakeups import Queue
from newsletter.store.database import Database

LIMIT = BEGIN_WITHIN.total_seconds()


@contextmanager
def snapshot(database: Database) -> Iterator[None]:
    """A transaction that sees what was when it began, as pg_dump's does: nothing that changes can be cleared away."""
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
def evenly(act: Callable[[int], None], times: int, *, within: float) -> Iterator[None]:
    """Do it so often, evenly, in a thread of its own; what has not come to pass at the end of the block never does."""
    over, failed = Event(), list[Exception]()

    def run() -> None:
        begun = time.monotonic()
        for number in range(times):
            if over.wait(max(0.0, begun + number * within / times - time.monotonic())):
                return
            try:
                act(number)
            except Exception as error:  # noqa: BLE001 - raised where the block is left
                failed.append(error)
                return

    thread = Thread(target=run, name="meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


@dataclass
class Signups:
    """Visitors who sign up: what POST /subscribe does, from the row that it inserts to the bell that it rings."""

    town: BenchEnvironment
    newsletter: Newsletter
    wording: Wording
    keyring: Keyring
    committed: dict[str, float] = field(default_factory=dict)  # when, by address

    @contextmanager
    def coming(self, number: int, *, within: float) -> Iterator[None]:
        """So many, evenly."""
        with (
            broker.connect(self.town.settings.redis_url) as app,
            closing(broker.wakeups(app)) as wakeups,
            evenly(lambda each: self._come(each, wakeups.wake), number, within=within),
        ):
            yield

    def _come(self, number: int, wake: Callable[[Queue], None]) -> None:
        address = addresses.parse(f"visitor{number + 1}@bench.example")
        with self.town.database.writing() as session:
            signups.receive(
                session,
                address=address,
                fold_key=addresses.fold(self.keyring, address.key),
                newsletters=[self.newsletter.id],
                wording_id=self.wording.id,
                form=self.wording.form_exhibit,
                evidence={"method": "form on the web"},
                now=clock.now(),
            )
        self.committed[address.key] = time.monotonic()
        wake(Queue.URGENT)

    def waited(self, letters: list[Noted]) -> dict[str, Any]:
        """From the sign-up's commit to the relay's 250, in milliseconds, and what of it was the wait for two steps.

        `answered` is when its letter was written, `claimed` when a carrier took it: by the wall clock, for that is in
        the database.
        """
        taken = {letter.recipients[0]: letter.taken_at for letter in letters if letter.recipients}
        waits = sorted((taken[who] - at) * 1000 for who, at in self.committed.items() if who in taken)
        return {
            "signups": len(self.committed),
            "letters": len(waits),
            **_parts(waits),
            **self._steps(),
        }

    def _steps(self) -> dict[str, float | None]:
        steps = select(Signup.received_at, Delivery.queued_at, Delivery.first_tried_at)
        joined = steps.join(Letter, Letter.signup_id == Signup.id).join(Delivery, Delivery.letter_id == Letter.id)
        with self.town.database.reading() as session:
            rows = session.execute(joined.where(Delivery.first_tried_at.is_not(None))).all()
        found = {
            "answered": [(queued - received).total_seconds() * 1000 for received, queued, _ in rows],
            "claimed": [(tried - received).total_seconds() * 1000 for received, _, tried in rows if tried],
        }
        return {f"{name}_p50_ms": round(median(waits), 1) if waits else None for name, waits in found.items()}


def _parts(waits: list[float]) -> dict[str, float | None]:
    parts = quantiles(waits, n=100, method="inclusive") if len(waits) > 1 else waits * 99
    return {
        "p50_ms": round(parts[49], 1) if parts else None,
        "p99_ms": round(parts[98], 1) if parts else None,
        "longest_ms": round(waits[-1], 1) if waits else None,
    }


@dataclass
class Unsubscribes:
    """Readers who unsubscribe: every other one has a letter on its way just then."""

    town: BenchEnvironment
    readers: int
    chance: random.Random = field(default_factory=random.Random)
    left: dict[str, float] = field(default_factory=dict)  # when it was committed, by address

    @contextmanager
    def going(self, number: int, *, within: float) -> Iterator[None]:
        """So many, evenly."""
        with evenly(self._go, number, within=within):
            yield

    def _go(self, number: int) -> None:
        who = (self._next_reader() if number % 2 else None) or self.chance.randint(1, self.readers)
        with self.town.database.writing() as session:
            reader = subscribers.lock_by_id(session, who)
            assert reader
            reads = subscribers.subscriptions(session, reader.id)
            stopped = decisions.withdraw(
                session, reader, newsletters=reads, how="mail program's own button", trace=None, now=clock.now()
            )
            address = reader.address or ""
        if stopped:
            self.left[address] = time.monotonic()

    def _next_reader(self) -> int | None:
        """One whose letter a carrier has in hand, or else one who is next to be written to."""
        with self.town.database.reading() as session:
            for status in (DeliveryStatus.CLAIMED, DeliveryStatus.QUEUED):
                some = select(Delivery.subscriber_id).where(has_status(status), Delivery.subscriber_id <= self.readers)
                if found := session.scalars(some.order_by(Delivery.due_at, Delivery.id).limit(50)).all():
                    return self.chance.choice(found)
        return None

    def written_to(self, letters: list[Noted]) -> dict[str, Any]:
        """How long after their leaving was committed a MAIL FROM for them came, at the latest; in seconds."""
        after = sorted(
            letter.mail_at - self.left[who]
            for letter in letters
            for who in letter.recipients
            if who in self.left and letter.mail_at > self.left[who]
        )
        return {
            "left": len(self.left),
            "written_to_afterwards": len(after),
            "latest_mail_s": round(after[-1], 3) if after else None,
            "mails_later_than_limit": sum(1 for each in after if each > LIMIT),
            "limit_s": LIMIT,
        }


def compared(town: BenchEnvironment, letter: int, letters: list[Noted], *, readers: int) -> dict[str, int]:
    """What the sink noted of an issue against what was recorded of it, reader by reader."""
    mine = {address_of(number) for number in range(1, readers + 1)}
    with town.database.reading() as session:
        sent = select(Subscriber.address).join(Delivery, Delivery.subscriber_id == Subscriber.id)
        recorded = set(session.scalars(sent.where(Delivery.letter_id == letter, has_status(DeliveryStatus.SENT))))
        audience = session.scalar(select(func.count()).where(Delivery.letter_id == letter)) or 0
    arrived = [(who, each.message_id) for each in letters for who in each.recipients if who in mine]
    who_got = {who for who, _ in arrived}
    return {
        "audience": audience,
        "sent": len(recorded),
        "arrived": len(arrived),
        "lost": len(recorded - who_got),
        "doubled": len(arrived) - len(who_got),
        "unrecorded": len(who_got - recorded),
        "message_ids": len({message_id for _, message_id in arrived}),
    }
