"""Repair the findings of doctor that have one certain repair. Each repair is recorded in the audit log.

Only derived data is rebuilt, from its source. The ledger, evidence, suppressions and final deliveries never change,
and a mark that keeps letters from being sent is never removed.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.consent.ledger import standings
from newsletter.consent.subscribers import subscribers
from newsletter.doctor.checks import suppressed
from newsletter.doctor.checks.expired_leases import LeaseHolder
from newsletter.doctor.checks.findings import Check
from newsletter.keys import Keyring
from newsletter.mail.delivery import reclaiming
from newsletter.mail.delivery.deliveries import REQUEUED_STATUS, Delivery, DeliveryStatus, Tally, has_status
from newsletter.mail.delivery.leases import Worker
from newsletter.mail.letters.letters import Letter
from newsletter.store import triggers
from newsletter.store.database import Begin

BATCH_SIZE = 100  # subscribers locked in one transaction


class Repair(NamedTuple):
    """One repair that was made. Its fields are JSON keys."""

    check: Check
    says: str


@dataclass(frozen=True, kw_only=True)
class Repairer:
    """Repairs findings in the name of an operator."""

    reading: Begin
    writing: Begin
    actor: str
    now: Callable[[], datetime]
    keyring: Keyring | None = None

    def repair(self, checks: Collection[Check], *, expired: Mapping[int, LeaseHolder] | None = None) -> list[Repair]:
        """Repair the findings of these checks; `expired` are the workers whose lease has expired, by id."""
        repairs = {
            Check.TRIGGERS: self._triggers,  # first: they protect the audit log entries of the other repairs
            Check.STANDING: self._standings,
            Check.SUPPRESSED: self._suppressed,
            Check.SUMS: self._sums,
        }
        done = [made for check, repair in repairs.items() if check in checks and (made := repair())]
        if Check.DEAD_CLAIMS in checks:
            done += [made for made in (self._unowned_claims(), self._expired_claims(expired or {})) if made]
        return done

    def _triggers(self) -> Repair | None:
        with self.writing() as session:
            missing = sorted(triggers.missing(session.connection()))
            triggers.recreate(session.connection())
            return self._record(session, Check.TRIGGERS, len(missing), "triggers recreated: {:,}", names=missing)

    def _standings(self) -> Repair | None:
        """Rebuild subscriptions, each under its subscriber's lock, so that no concurrent change is undone."""
        count = 0
        with self.reading() as snapshot:
            rows = snapshot.execute(standings.differing().execution_options(yield_per=BATCH_SIZE))
            for chunk in rows.partitions():
                with self.writing() as session:
                    rebuilt = [row[0] for row in chunk if standings.rebuild(session, row[0], row[1])]
                    self._record(session, Check.STANDING, len(rebuilt), "", subscribers=rebuilt)
                count += len(rebuilt)
        return _repair(Check.STANDING, count, "subscriptions rebuilt from the ledger: {:,}")

    def _suppressed(self) -> Repair | None:
        """Mark the subscribers whom a suppression protects."""
        assert self.keyring  # without it doctor makes no such finding
        with self.reading() as snapshot:
            weak = [each for each in suppressed.mismatches(snapshot, self.keyring) if each.is_too_weak]
        with self.writing() as session:
            for each in weak:
                subscriber = subscribers.lock_by_id(session, each.subscriber)
                if subscriber and subscriber.suppressed == each.marked:
                    subscriber.suppressed = each.listed
            says = "subscribers marked again as the suppression list says: {:,}"
            return self._record(
                session, Check.SUPPRESSED, len(weak), says, subscribers=[each.subscriber for each in weak]
            )

    def _sums(self) -> Repair | None:
        """Delete the tallies of letters whose rows alone add up to the audience: they count existing rows again."""
        rows = select(func.count()).where(Delivery.letter_id == Letter.id).scalar_subquery()
        recounted = select(Letter.id).where(exists().where(Tally.letter_id == Letter.id), Letter.audience == rows)
        with self.writing() as session:
            letters = list(session.scalars(recounted.where(exists().where(Tally.letter_id == Letter.id, Tally.n > 0))))
            deleted = [
                [letter, worker, status.value, n]
                for letter, worker, status, n in session.execute(
                    delete(Tally)
                    .where(Tally.letter_id.in_(letters))
                    .returning(Tally.letter_id, Tally.carrier_id, Tally.status, Tally.n)
                )
            ]
            says = "superfluous tallies deleted, letters affected: {:,}"
            return self._record(session, Check.SUMS, len(letters), says, tallies=deleted)

    def _unowned_claims(self) -> Repair | None:
        """Put claims of no known worker back in the queue. Such a worker may have sent some: it counts in `deaths`."""
        unowned = or_(Delivery.carrier_id.is_(None), ~exists().where(Worker.id == Delivery.carrier_id))
        back = update(Delivery).where(has_status(DeliveryStatus.CLAIMED), unowned)
        back = back.values(status=REQUEUED_STATUS, carrier_id=None, deaths=Delivery.deaths + 1)
        with self.writing() as session:
            count = session.execute(back, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]
            return self._record(
                session, Check.DEAD_CLAIMS, count, "letters back in the queue, claimed by no known worker: {:,}"
            )

    def _expired_claims(self, expired: Mapping[int, LeaseHolder]) -> Repair | None:
        """Put claims back in the queue whose workers have shown no heartbeat up to this transaction."""
        with self.writing() as session:
            heartbeats = select(Worker.id, Worker.beats).where(Worker.id.in_(expired)).with_for_update()
            silent = [worker for worker, beats in session.execute(heartbeats) if expired[worker].beats == beats]
            count = reclaiming.reclaim(session, silent, now=self.now()) if silent else 0
            says = "letters back in the queue, claimed by workers that stopped: {:,}"
            return self._record(session, Check.DEAD_CLAIMS, count, says, carriers=silent)

    def _record(self, session: Session, check: Check, count: int, says: str, **fields: Any) -> Repair | None:
        if count:
            subject = f"check:{check}"
            audit_log.record(
                session,
                actor=self.actor,
                verb="doctor mended",
                subject=subject,
                newsletter_id=None,
                now=self.now(),
                n=count,
                **fields,
            )
        return _repair(check, count, says)


def _repair(check: Check, count: int, says: str) -> Repair | None:
    return Repair(check, says.format(count)) if count else None
